"""WhatsApp channel, using the Cloud API of the WhatsApp Business Platform.

Documentation: https://developers.facebook.com/documentation/business-messaging/whatsapp/
"""
