// Made by tools/generate.py: do not edit.

import { Calls, isSet } from "../calls.js";
import type { Outgoing, Sendable } from "../content.js";
import type { NamedFile, Options, PostOptions, VersionedOptions } from "../http.js";
import { pages } from "../pages.js";
import type {
  Account,
  AccountAutomation,
  Analytics,
  ApproveToolCall,
  ApprovedTemplate,
  ApprovedTemplates,
  Assistant,
  AssistantCase,
  AssistantCases,
  AssistantFigures,
  AssistantMode,
  AssistantTool,
  AssistantToolCall,
  AssistantTurn,
  AssistantTurns,
  AssistantVersion,
  Attribute,
  Blocked,
  BulkAction,
  BusinessHours,
  CampaignPeople,
  CampaignPerson,
  CannedReply,
  Channel,
  ConnectAccount,
  ConnectedAccount,
  Contact,
  ContactNote,
  Contacts,
  Conversation,
  Conversations,
  CreateAssistant,
  CreateAssistantCase,
  CreateAssistantTool,
  CreateAttribute,
  CreateBulkAction,
  CreateCannedReply,
  CreateContactNote,
  CreateConversation,
  CreateEndpoint,
  CreateForward,
  CreateKnowledge,
  CreateLabel,
  CreateNote,
  CreateReaction,
  CreateRule,
  CreateSequence,
  CreateTeam,
  CreateView,
  Deliveries,
  Delivery,
  DeliveryWithBody,
  Diagnosis,
  DisconnectedAccount,
  DismissPastAnswer,
  DismissedPastAnswer,
  Endpoint,
  HandingOver,
  IceBreakersOfAccount,
  Judgement,
  Knowledge,
  KnowledgeEntry,
  LabelRef,
  LanguageModel,
  ListedSequence,
  ListedSequenceVersion,
  Macro,
  MarkingRead,
  MarkingUnread,
  Member,
  MenuOfAccount,
  MergeContact,
  MergeLabel,
  Merged,
  Message,
  MessagePage,
  MessagePreview,
  Messages,
  MessagesAfter,
  OptOut,
  Passing,
  PastAnswer,
  Play,
  PlayedAnswer,
  Post,
  Posts,
  Releasing,
  ReplaceAssistant,
  ReplaceAssistantCase,
  ReplaceAssistantTool,
  ReplaceKnowledge,
  ReplaceRule,
  ReplaceSequence,
  Replay,
  Replayed,
  RetryMessage,
  Rule,
  RuleMove,
  RuleRun,
  RuleRuns,
  SearchHit,
  SearchResults,
  Sent,
  SequenceDetail,
  SequenceMove,
  SequenceNumbers,
  SequenceRun,
  SequenceRunDetail,
  SequenceRuns,
  SequenceSecret,
  SequenceVersion,
  SequenceVersions,
  Splitting,
  StartSequence,
  Started,
  Taking,
  Team,
  Trial,
  TriedCases,
  TriedTool,
  Tries,
  TurnOffSequence,
  Typing,
  UpdateAccount,
  UpdateAssistant,
  UpdateAttribute,
  UpdateAutomation,
  UpdateCannedReply,
  UpdateContact,
  UpdateConversation,
  UpdateDuty,
  UpdateEndpoint,
  UpdateHours,
  UpdateLabel,
  UpdateMessage,
  UpdateModeration,
  UpdateNote,
  UpdateRule,
  UpdateTeam,
  UpdateView,
  Upload,
  View,
  WithSecret,
} from "./types.js";

export interface ListMessagesQuery {
  /** The maximum number of results. */
  limit?: number | undefined;
  /** `next` of the previous page. Returns earlier messages. */
  cursor?: string | undefined;
  /** A cursor from a response. Returns later messages. */
  after?: string | undefined;
}

export interface ListAllMessagesQuery {
  /**
   * Only what changed at this time or later, and up to a minute before; as far back as the event log is
   * kept, 400 days by default. Implies `sort=updated`.
   */
  updatedSince?: Date | string | undefined;
  /**
   * `newest`: the message that was stored last comes first; `oldest`: it comes last; `updated`: in the
   * order of changes, with `updatedSince`.
   */
  sort?: "newest" | "oldest" | "updated" | undefined;
  /** The maximum number of results. */
  limit?: number | undefined;
  /** `next` of the previous page. */
  cursor?: string | undefined;
}

export interface ListConversationsQuery {
  /** Omitted: both. */
  status?: "closed" | "open" | undefined;
  /** The key of a channel. */
  channel?: string | undefined;
  /** The id of an account. */
  account?: number | undefined;
  /** The id of a person, or `none`. */
  assignee?: number | "none" | undefined;
  /** The id of a team, or `none`. */
  team?: number | "none" | undefined;
  /** Omitted: all. */
  handledBy?: "automation" | "nobody" | "person" | undefined;
  /** The contact's external id. */
  contact?: string | undefined;
  /** Has at least one of these labels. */
  labels?: readonly number[] | undefined;
  /** Has all of these labels. */
  allLabels?: readonly number[] | undefined;
  /** Has none of these labels. */
  noLabels?: readonly number[] | undefined;
  /** Omitted: both. */
  snoozed?: boolean | undefined;
  /** True: only spam; otherwise no spam. */
  spam?: boolean | undefined;
  /** Whether the last message is from the customer. */
  needsReply?: boolean | undefined;
  /** Whether a message from the team failed. */
  failed?: boolean | undefined;
  /** The id of a person mentioned in one of its notes. */
  mentioned?: number | undefined;
  /** Whether the customer has waited longer than the account's response time. */
  late?: boolean | undefined;
  /** Whether a reply is scheduled. */
  scheduled?: boolean | undefined;
  /** The id of the post that it is about. */
  post?: number | undefined;
  /** The maximum number of results. */
  limit?: number | undefined;
  /** `next` of the previous page. */
  cursor?: string | undefined;
  /**
   * Only what changed at this time or later, and up to a minute before; as far back as the event log is
   * kept, 400 days by default. Implies `sort=updated`.
   */
  updatedSince?: Date | string | undefined;
  /**
   * `newest`: latest message first; `waiting`: only customers who wait for an answer, longest wait
   * first; `updated`: in the order of changes, with `updatedSince`.
   */
  sort?: "newest" | "updated" | "waiting" | undefined;
}

export interface ListContactsQuery {
  /** Words that names, handles or addresses begin with; at most 200 characters. */
  q?: string | undefined;
  /** The key of a channel they use. */
  channel?: string | undefined;
  /** A label of one of their conversations. */
  label?: number | undefined;
  /** An attribute with a value. */
  attribute?: number | undefined;
  /** The value of `attribute`. */
  value?: string | undefined;
  optedOut?: boolean | undefined;
  blocked?: boolean | undefined;
  /** Their conversations have messages since then. */
  since?: Date | string | undefined;
  /** Their conversations have no messages since then. */
  before?: Date | string | undefined;
  /**
   * Only what changed at this time or later, and up to a minute before; as far back as the event log is
   * kept, 400 days by default. Implies `sort=updated`.
   */
  updatedSince?: Date | string | undefined;
  /**
   * `newest`: newest contacts first; `recent`: latest message first; `quiet`: latest message last. The
   * last two omit contacts without a conversation. `updated`: in the order of changes, with
   * `updatedSince`.
   */
  sort?: "newest" | "quiet" | "recent" | "updated" | undefined;
  /** The maximum number of results. */
  limit?: number | undefined;
  /** A cursor from a response, unchanged. */
  cursor?: string | undefined;
}

export interface ListContactConversationsQuery {
  /** The maximum number of results. */
  limit?: number | undefined;
  /** `next` of the previous page. */
  cursor?: string | undefined;
}

export interface ListTemplatesQuery {
  /** `next` of the previous page. */
  cursor?: string | undefined;
}

export interface ListRuleRunsQuery {
  /** Only runs in which all conditions matched, or only those in which not all did. */
  matched?: boolean | undefined;
  /** The maximum number of results. */
  limit?: number | undefined;
  /** A cursor from a response, unchanged. */
  cursor?: string | undefined;
}

export interface ListCampaignPeopleQuery {
  /** Only people with this result. */
  got?: "got" | "had" | "refused" | "waits" | undefined;
  /** Part of their name or username. */
  search?: string | undefined;
  /** The maximum number of results. */
  limit?: number | undefined;
  /** A cursor from a response, unchanged. */
  cursor?: string | undefined;
}

export interface ListSequenceVersionsQuery {
  /** The maximum number of results. */
  limit?: number | undefined;
  /** A cursor from a response, unchanged. */
  cursor?: string | undefined;
}

export interface ListSequenceRunsQuery {
  /** Only runs in this state. */
  state?: "active" | "ended" | undefined;
  /** Only runs that are at this step, or ended at it. */
  step?: string | undefined;
  /** Only runs that entered this step. */
  reached?: string | undefined;
  /**
   * Only runs that ended with this `reason`, or with this `outcome` and no reason: one of the words in
   * the numbers of a sequence.
   */
  ended?: string | undefined;
  /** Only runs of this version. */
  version?: number | undefined;
  /** Only runs that this started. */
  startedBy?: "api" | "campaign" | "first" | "ref" | "rule" | "story" | "tap" | "words" | undefined;
  /** Only runs that started then or later. */
  startedFrom?: Date | string | undefined;
  /** Only runs that started before. */
  startedBefore?: Date | string | undefined;
  /** Only runs in this conversation. */
  conversationId?: number | undefined;
  /** The maximum number of results. */
  limit?: number | undefined;
  /** A cursor from a response, unchanged. */
  cursor?: string | undefined;
}

export interface GetSequenceNumbersQuery {
  /** Omitted: the live version, or the newest if none was published. */
  version?: number | undefined;
  /** The first day. */
  from?: string | undefined;
  /** The last day, included. Omitted: today. */
  to?: string | undefined;
  /** The IANA time zone of the days. */
  zone?: string | undefined;
}

export interface GetAssistantFiguresQuery {
  /** Number of days, including today. */
  days?: number | undefined;
}

export interface ListKnowledgeQuery {
  /** Words in the title, the questions or the origin. */
  search?: string | undefined;
  /** The maximum number of results. */
  limit?: number | undefined;
  /** A cursor from a response, unchanged. */
  cursor?: string | undefined;
}

export interface ListToolCallsQuery {
  /** Only those that wait for a person's decision. */
  waiting?: boolean | undefined;
}

export interface CreateKnowledgeFileQuery {
  /** At most 200 characters. Empty: the title in the file, or its name. */
  title?: string | undefined;
}

export interface ReplaceKnowledgeFileQuery {
  /** At most 200 characters. Empty: the title in the file, or its name. */
  title?: string | undefined;
}

export interface ListAssistantCasesQuery {
  /** The maximum number of results. */
  limit?: number | undefined;
  /** A cursor from a response, unchanged. */
  cursor?: string | undefined;
}

export interface ListAssistantTurnsQuery {
  /** The maximum number of results. */
  limit?: number | undefined;
  /** A cursor from a response, unchanged. */
  cursor?: string | undefined;
  /** `taken`: sent. `shadow`: with a person's answer for comparison. */
  show?: "all" | "failed" | "handed_over" | "shadow" | "taken" | "wrong" | undefined;
}

export interface ListConversationTurnsQuery {
  /** The maximum number of results. */
  limit?: number | undefined;
  /** A cursor from a response, unchanged. */
  cursor?: string | undefined;
}

export interface ListPostsQuery {
  /** The id of an account. */
  account?: number | undefined;
  /** The maximum number of results. */
  limit?: number | undefined;
  /** `next` of the previous page. */
  cursor?: string | undefined;
}

export interface SearchQuery {
  /**
   * Words, "phrases", beginnings with a star, each excluded by a minus in front, and filters: `is:open`,
   * `is:waiting`, `is:note`, `label:NAME`, `from:customer`, `from:team`, `from:anna`, `has:file`,
   * `account:NAME`, `channel:KEY`, `assignee:nobody`, `before:2026-01-31`, `after:2026-01-01`.
   */
  q?: string | undefined;
  /** The maximum number of results. */
  limit?: number | undefined;
  /** `next` of the previous page. */
  cursor?: string | undefined;
}

export interface ListDeliveriesQuery {
  /** `failed`: given up, or waiting for a retry. */
  state?: "all" | "delivered" | "failed" | "waiting" | undefined;
  /** The maximum number of results. */
  limit?: number | undefined;
  /** `next` of the previous page. */
  cursor?: string | undefined;
}

export interface GetAnalyticsQuery {
  /** The first day. */
  from?: string | undefined;
  /** The last day, included. Omitted: today. */
  to?: string | undefined;
  /** The IANA time zone of the days. */
  zone?: string | undefined;
  /** The id of an account. */
  account?: number | undefined;
  /** The id of a person. Only their work is counted. */
  agent?: number | undefined;
  /** The id of a team. Only what happened while it had the conversation is counted. */
  team?: number | undefined;
  /**
   * Whether first response, next responses and resolution only count the business hours of each
   * conversation's team.
   */
  businessHours?: boolean | undefined;
  /** The steps of the series. Hours are limited to 31 days. */
  by?: "day" | "hour" | undefined;
}

export class MessagesCalls extends Calls {
  /**
   * Send a message.
   *
   * Each `kind` has its own form of body. The account lists what its channel can send.
   *
   * A body with `content` is accepted, too: a channel by its public id, a recipient, a content, and what
   * every message can have, such as `replyTo` and `sendAt`.
   *
   * It does not start a conversation: the contact must have written first (`not_written_first`).
   *
   * The returned messages are queued; `GET /messages/{message_id}` returns their current state. A long
   * text or several files may become several messages: all of them are written, or none. With `sendAt` a
   * message is scheduled, and later messages may be sent before it. On channels with a reply window, the
   * API can write while the window is open to programs; after that, only a person can, in the inbox. An
   * `approved_template` is sent outside the window, too.
   *
   * Messages of a key that is marked as automatic are refused while a person handles the conversation
   * (`handled_by_person`), for customers who opted out of automated messages (`opted_out`), in answer to
   * an automated message (`from_machine`), and if an address got several within minutes
   * (`automatic_limit`). Messages of any other key are treated as written by a person.
   *
   * If the channel has `copies`, a message goes to everyone on the newest message unless `answer` or
   * `cc` says otherwise, and can have hidden recipients in `bcc`; if the account has several addresses,
   * it is sent from `ownAddress`. The answer has these in `content`. If the channel has `textWithFiles`,
   * a text and its `files` are one message.
   *
   * Requires the scope `messages:write`.
   */
  send(body: Outgoing, options: PostOptions = {}): Promise<Sent> {
    return this.http.json("POST", "/messages", [], { body, options });
  }

  /**
   * Send a message.
   *
   * Each `kind` has its own form of body. The account lists what its channel can send.
   *
   * A body with `content` is accepted, too: a channel by its public id, a recipient, a content, and what
   * every message can have, such as `replyTo` and `sendAt`.
   *
   * It does not start a conversation: the contact must have written first (`not_written_first`).
   *
   * The returned messages are queued; `GET /messages/{message_id}` returns their current state. A long
   * text or several files may become several messages: all of them are written, or none. With `sendAt` a
   * message is scheduled, and later messages may be sent before it. On channels with a reply window, the
   * API can write while the window is open to programs; after that, only a person can, in the inbox. An
   * `approved_template` is sent outside the window, too.
   *
   * Messages of a key that is marked as automatic are refused while a person handles the conversation
   * (`handled_by_person`), for customers who opted out of automated messages (`opted_out`), in answer to
   * an automated message (`from_machine`), and if an address got several within minutes
   * (`automatic_limit`). Messages of any other key are treated as written by a person.
   *
   * If the channel has `copies`, a message goes to everyone on the newest message unless `answer` or
   * `cc` says otherwise, and can have hidden recipients in `bcc`; if the account has several addresses,
   * it is sent from `ownAddress`. The answer has these in `content`. If the channel has `textWithFiles`,
   * a text and its `files` are one message.
   *
   * Requires the scope `messages:write`.
   */
  reply(body: Sendable, options: PostOptions = {}): Promise<Sent> {
    return this.http.json("POST", "/messages", [], { body, options });
  }

  /**
   * Get a message.
   *
   * The message with its state: queued, sent, read, or failed and why.
   *
   * Requires the scope `messages:read`.
   */
  get(messageId: number, options: Options = {}): Promise<Message> {
    return this.http.json("GET", "/messages/{}", [messageId], { options });
  }

  /** Return one page; see {@link list}. */
  page(conversationId: number, query: ListMessagesQuery = {}, options: Options = {}): Promise<Messages> {
    return this.http.json("GET", "/conversations/{}/messages", [conversationId], { query, options });
  }

  /**
   * List the messages of a conversation. It goes through all pages. The newest comes first.
   *
   * Oldest first, including the team's notes and lines about activity.
   *
   * Without a cursor, returns the newest. Pages are by id, so none misses a message whose time changes
   * meanwhile; each page is sorted as in the thread: by `sentAt`, or without it by the time it waits
   * for.
   *
   * Requires the scope `messages:read`.
   */
  list(
    conversationId: number,
    query: Omit<ListMessagesQuery, "cursor" | "after"> = {},
    options: Options = {},
  ): AsyncGenerator<Message, void> {
    return pages((cursor) => this.page(conversationId, { limit: 100, ...query, cursor }, options), true);
  }

  /** Return one page; see {@link listAll}. */
  allPage(query: ListAllMessagesQuery = {}, options: Options = {}): Promise<MessagePage> {
    return this.http.json("GET", "/messages", [], { query, options });
  }

  /**
   * List the messages of all conversations. It goes through all pages.
   *
   * Including the team's notes and lines about activity. Pages are by id, not by `sentAt`.
   *
   * With `updatedSince`, returns the messages that changed since then, oldest change first: their
   * delivery state, text, reactions or files. One that changes again appears again.
   *
   * A key that is limited to some accounts gets the messages of these. Its pages can be short or empty
   * although there are more: go on until `next` is null.
   *
   * Requires the scope `messages:read`.
   */
  listAll(
    query: Omit<ListAllMessagesQuery, "cursor"> = {},
    options: Options = {},
  ): AsyncGenerator<Message, void> {
    return pages((cursor) => this.allPage({ limit: 100, ...query, cursor }, options));
  }

  /**
   * Edit a queued message.
   *
   * Edits a queued message that has not left; it keeps its place. A text must fit in one message.
   *
   * All parts of a reply have the same time.
   *
   * Requires the scope `messages:write`.
   */
  edit(messageId: number, body: UpdateMessage = {}, options: VersionedOptions = {}): Promise<Message> {
    return this.http.json("PATCH", "/messages/{}", [messageId], { body, options });
  }

  /**
   * Edit a queued message.
   *
   * Edits a queued message that has not left; it keeps its place. A text must fit in one message.
   *
   * All parts of a reply have the same time.
   *
   * Requires the scope `messages:write`.
   */
  reschedule(messageId: number, body: UpdateMessage = {}, options: VersionedOptions = {}): Promise<Message> {
    return this.http.json("PATCH", "/messages/{}", [messageId], { body, options });
  }

  /**
   * Cancel a queued message.
   *
   * Cancels a queued message that has not left. While it is being sent it is too late: 409, and it is
   * sent.
   *
   * An unconfirmed message that is queued for a retry becomes unconfirmed again, not cancelled: it may
   * have arrived.
   *
   * Requires the scope `messages:write`.
   */
  cancel(messageId: number, options: PostOptions = {}): Promise<Message> {
    return this.http.json("POST", "/messages/{}/cancel", [messageId], { options });
  }

  /**
   * React to a message.
   *
   * The team has one reaction per message: another replaces it, and the same again changes nothing.
   *
   * The account lists the emoji a channel accepts. Returns the message; its reaction is queued.
   *
   * Requires the scope `messages:write`.
   */
  react(messageId: number, body: CreateReaction, options: Options = {}): Promise<Message> {
    return this.http.json("PUT", "/messages/{}/reactions", [messageId], { body, options });
  }

  /**
   * Remove the reaction to a message.
   *
   * Removes the team's reaction; the customer's stays. Does nothing if there is none.
   *
   * Requires the scope `messages:write`.
   */
  removeReaction(messageId: number, options: Options = {}): Promise<void> {
    return this.http.none("DELETE", "/messages/{}/reactions", [messageId], { options });
  }

  /**
   * Hide, show or delete a customer's message at the provider.
   *
   * Only on comment channels; the account's `capabilities` list the possible actions. Repeating is safe.
   *
   * Returns the message; `moderation` shows when the provider did it.
   *
   * Requires the scope `messages:write`.
   */
  moderate(messageId: number, body: UpdateModeration, options: Options = {}): Promise<Message> {
    return this.http.json("PUT", "/messages/{}/moderation", [messageId], { body, options });
  }

  /**
   * Preview a message.
   *
   * Takes the body of `POST /messages`, and answers with the messages that would be sent, or refuses it
   * for the same reasons. It sends and stores nothing.
   *
   * Files have to be uploaded first: a preview doesn't fetch a `url`. Whether the provider accepts a
   * message is only known once it is sent.
   *
   * Requires the scope `messages:write`.
   */
  preview(body: Sendable, options: PostOptions = {}): Promise<MessagePreview> {
    return this.http.json("POST", "/messages/preview", [], { body, options });
  }

  /**
   * Send a failed message again.
   *
   * Queues it again, with the parts of its reply that were held back because of it.
   *
   * It is refused if the API could not send a message to the customer now: if the reply window is closed
   * to programs, for example. Only a message that is `failed` can be retried (409, `state_moved_on`).
   *
   * Requires the scope `messages:write`.
   */
  retry(messageId: number, body: RetryMessage = {}, options: PostOptions = {}): Promise<Message> {
    return this.http.json("POST", "/messages/{}/retry", [messageId], { body, options });
  }

  /**
   * Check whether a message arrived.
   *
   * Looks for a message that is `unknown` at the provider, soon after, and never sends it.
   *
   * Once it is found there, its `state` is `sent`.
   *
   * Requires the scope `messages:write`.
   */
  check(messageId: number, options: PostOptions = {}): Promise<Message> {
    return this.http.json("POST", "/messages/{}/check", [messageId], { options });
  }
}

export class ConversationsCalls extends Calls {
  /** Return one page; see {@link list}. */
  page(query: ListConversationsQuery = {}, options: Options = {}): Promise<Conversations> {
    return this.http.json("GET", "/conversations", [], { query, options });
  }

  /**
   * List conversations. It goes through all pages.
   *
   * The conversation with the latest message comes first; see `sort`. All filters must match.
   *
   * With `updatedSince`, returns the conversations that changed since then, or in which something
   * happened, oldest change first. One that changes again appears again.
   *
   * Requires the scope `conversations:read`.
   */
  list(
    query: Omit<ListConversationsQuery, "cursor"> = {},
    options: Options = {},
  ): AsyncGenerator<Conversation, void> {
    return pages((cursor) => this.page({ limit: 100, ...query, cursor }, options));
  }

  /**
   * Get a conversation.
   *
   * The conversation with its contact, its assignee, and whether a reply may be sent now.
   *
   * Requires the scope `conversations:read`.
   */
  get(conversationId: number, options: Options = {}): Promise<Conversation> {
    return this.http.json("GET", "/conversations/{}", [conversationId], { options });
  }

  /**
   * List the messages that a change could lead to.
   *
   * Which rules and addons could write to the customer if the conversation is changed now, before you
   * change it. Changes that lead to no message are left out.
   *
   * It names rather too many than too few: conditions that the change itself may meet count as met.
   *
   * Requires the scope `conversations:read`.
   */
  messagesAfter(conversationId: number, options: Options = {}): Promise<MessagesAfter[]> {
    return this.http.data("GET", "/conversations/{}/messages-after", [conversationId], { options });
  }

  /**
   * Assign, close, label or snooze a conversation.
   *
   * Changes one or several properties; each adds a line to the thread, in the name of the key.
   *
   * Requires the scope `conversations:write`.
   */
  change(
    conversationId: number,
    body: UpdateConversation = {},
    options: VersionedOptions = {},
  ): Promise<Conversation> {
    return this.http.json("PATCH", "/conversations/{}", [conversationId], { body, options });
  }

  /**
   * Change many conversations.
   *
   * Changes exactly the conversations that match at the time of the request, in the background, each
   * once.
   *
   * It can be undone for an hour. A filter that matches every conversation needs `all`.
   *
   * Requires the scope `conversations:write`. Not for keys that are limited to some accounts.
   */
  changeMany(body: CreateBulkAction, options: PostOptions = {}): Promise<BulkAction> {
    return this.http.json("POST", "/bulk-actions", [], { body, options });
  }

  /**
   * Get a bulk action.
   *
   * Bulk actions of members are not visible. They are deleted after a week.
   *
   * Requires the scope `conversations:read`. Not for keys that are limited to some accounts.
   */
  bulkAction(bulkId: number, options: Options = {}): Promise<BulkAction> {
    return this.http.json("GET", "/bulk-actions/{}", [bulkId], { options });
  }

  /**
   * Undo a bulk action.
   *
   * Restores each conversation that has not changed since; a running action is stopped first.
   *
   * Requires the scope `conversations:write`. Not for keys that are limited to some accounts.
   */
  undo(bulkId: number, options: PostOptions = {}): Promise<BulkAction> {
    return this.http.json("POST", "/bulk-actions/{}/undo", [bulkId], { options });
  }

  /**
   * Stop a bulk action.
   *
   * Conversations that were already changed stay changed. Stopping one that is not running does nothing.
   *
   * Requires the scope `conversations:write`. Not for keys that are limited to some accounts.
   */
  stop(bulkId: number, options: PostOptions = {}): Promise<BulkAction> {
    return this.http.json("POST", "/bulk-actions/{}/stop", [bulkId], { options });
  }

  /**
   * Add a note.
   *
   * Only the team sees it. Mentioned people are notified according to their settings.
   *
   * Requires the scope `messages:write`.
   */
  addNote(conversationId: number, body: CreateNote, options: PostOptions = {}): Promise<Message> {
    return this.http.json("POST", "/conversations/{}/notes", [conversationId], { body, options });
  }

  /**
   * Edit a note.
   *
   * Edits a note that a key of the same name added. Repeating it does nothing.
   *
   * Requires the scope `messages:write`.
   */
  editNote(messageId: number, body: UpdateNote, options: Options = {}): Promise<Message> {
    return this.http.json("PATCH", "/notes/{}", [messageId], { body, options, once: isSet(body.editCount) });
  }

  /**
   * Delete a note.
   *
   * Deletes the content of a note that a key of the same name added. Repeating it does nothing.
   *
   * The message stays, without text and with `unsentAt`.
   *
   * Requires the scope `messages:write`.
   */
  deleteNote(messageId: number, options: Options = {}): Promise<void> {
    return this.http.none("DELETE", "/notes/{}", [messageId], { options });
  }

  /**
   * Forward messages.
   *
   * The customer is not notified; answers arrive in the conversation. Notes are never forwarded.
   *
   * Returns an internal message of kind `forward` with a delivery state: it is queued, and `GET
   * /messages/{message_id}` returns its current state.
   *
   * Requires the scope `messages:write`.
   */
  forward(conversationId: number, body: CreateForward, options: PostOptions = {}): Promise<Message> {
    return this.http.json("POST", "/conversations/{}/forwards", [conversationId], { body, options });
  }

  /**
   * Show the customer a typing indicator.
   *
   * Allowed while anyone may reply. It ends automatically after some seconds, and with the next message.
   *
   * Delivery is not confirmed: if the provider doesn't show it, nobody is notified.
   *
   * Requires the scope `conversations:write`.
   */
  showTyping(conversationId: number, body: Typing = {}, options: PostOptions = {}): Promise<void> {
    return this.http.none("POST", "/conversations/{}/typing", [conversationId], { body, options });
  }

  /**
   * Show the customer that their messages were seen.
   *
   * Allowed while anyone may reply. The account's seen setting only affects people, not programs.
   *
   * Delivery is not confirmed: if the provider doesn't show it, nobody is notified.
   *
   * Requires the scope `conversations:write`.
   */
  showSeen(conversationId: number, options: PostOptions = {}): Promise<void> {
    return this.http.none("POST", "/conversations/{}/seen", [conversationId], { options });
  }

  /**
   * Hand a conversation over to people.
   *
   * The customer then waits for a person, and nothing automated is sent until the conversation is closed
   * or automation is resumed.
   *
   * A closed conversation is reopened. Repeating it only adds the note.
   *
   * Requires the scope `conversations:write`.
   */
  handOver(conversationId: number, body: HandingOver = {}, options: PostOptions = {}): Promise<Conversation> {
    return this.http.json("POST", "/conversations/{}/hand-over", [conversationId], { body, options });
  }

  /**
   * Take a conversation from another app.
   *
   * If a provider lets several apps answer, one controls a conversation at a time. The provider decides.
   *
   * Requires the scope `conversations:write`.
   */
  take(conversationId: number, body: Taking = {}, options: PostOptions = {}): Promise<Conversation> {
    return this.http.json("POST", "/conversations/{}/request-control", [conversationId], { body, options });
  }

  /**
   * Pass a conversation to another app.
   *
   * Messages sent afterwards may be refused, until you take the conversation or get it back.
   *
   * Requires the scope `conversations:write`.
   */
  handOn(conversationId: number, body: Passing, options: PostOptions = {}): Promise<Conversation> {
    return this.http.json("POST", "/conversations/{}/pass-control", [conversationId], { body, options });
  }

  /**
   * Release a conversation to whoever the provider chooses.
   *
   * Nothing automated is sent until the customer's next message comes to Lobby. Sending takes it back.
   *
   * Only where `threadRelease` of the account's `capabilities` is true.
   *
   * Requires the scope `conversations:write`.
   */
  release(conversationId: number, body: Releasing = {}, options: PostOptions = {}): Promise<Conversation> {
    return this.http.json("POST", "/conversations/{}/release-control", [conversationId], { body, options });
  }

  /**
   * Mark a conversation as read.
   *
   * The customer isn't told: for that, use `seen`.
   *
   * Requires the scope `conversations:write`.
   */
  markRead(conversationId: number, body: MarkingRead = {}, options: PostOptions = {}): Promise<Conversation> {
    return this.http.json("POST", "/conversations/{}/read", [conversationId], { body, options });
  }

  /**
   * Mark a conversation as unread.
   *
   * Shows it as unread to one person, until they open it. The team's `unreadCount` stays the same.
   *
   * Requires the scope `conversations:write`.
   */
  markUnread(conversationId: number, body: MarkingUnread, options: PostOptions = {}): Promise<Conversation> {
    return this.http.json("POST", "/conversations/{}/unread", [conversationId], { body, options });
  }
}

export class ContactsCalls extends Calls {
  /** Return one page; see {@link list}. */
  page(query: ListContactsQuery = {}, options: Options = {}): Promise<Contacts> {
    return this.http.json("GET", "/contacts", [], { query, options });
  }

  /**
   * List contacts. It goes through all pages.
   *
   * Newest contacts come first by default; see `sort`. All conditions must match.
   *
   * With `updatedSince`, returns the contacts that changed since then, or in whose conversations
   * something happened, oldest change first. One that changes again appears again.
   *
   * Requires the scope `contacts:read`.
   */
  list(query: Omit<ListContactsQuery, "cursor"> = {}, options: Options = {}): AsyncGenerator<Contact, void> {
    return pages((cursor) => this.page({ limit: 100, ...query, cursor }, options));
  }

  /**
   * Get a contact.
   *
   * A person, with their id on each account they wrote to.
   *
   * A merged contact returns the contact it was merged into, which has another `id`.
   *
   * Requires the scope `contacts:read`.
   */
  get(contactId: number, options: Options = {}): Promise<Contact> {
    return this.http.json("GET", "/contacts/{}", [contactId], { options });
  }

  /**
   * Change a contact.
   *
   * Changes everything or nothing. The provider's own data about the contact stays.
   *
   * Requires the scope `contacts:write`.
   */
  change(contactId: number, body: UpdateContact = {}, options: VersionedOptions = {}): Promise<Contact> {
    return this.http.json("PATCH", "/contacts/{}", [contactId], { body, options });
  }

  /**
   * List the notes about a contact.
   *
   * Newest first. Notes in a conversation are with its messages.
   *
   * Requires the scope `contacts:read`.
   */
  notes(contactId: number, options: Options = {}): Promise<ContactNote[]> {
    return this.http.data("GET", "/contacts/{}/notes", [contactId], { options });
  }

  /**
   * Get a note about a contact.
   *
   * A note of the team about the contact.
   *
   * Requires the scope `contacts:read`.
   */
  note(contactId: number, contactNoteId: number, options: Options = {}): Promise<ContactNote> {
    return this.http.json("GET", "/contacts/{}/notes/{}", [contactId, contactNoteId], { options });
  }

  /**
   * Add a note about a contact.
   *
   * The team sees it next to every conversation with the contact; the contact never does.
   *
   * Requires the scope `contacts:write`.
   */
  addNote(contactId: number, body: CreateContactNote, options: PostOptions = {}): Promise<ContactNote> {
    return this.http.json("POST", "/contacts/{}/notes", [contactId], { body, options });
  }

  /** Return one page; see {@link conversations}. */
  conversationsPage(
    contactId: number,
    query: ListContactConversationsQuery = {},
    options: Options = {},
  ): Promise<Conversations> {
    return this.http.json("GET", "/contacts/{}/conversations", [contactId], { query, options });
  }

  /**
   * List the conversations of a contact. It goes through all pages.
   *
   * On every account, open and closed, including spam and merged contacts; latest message first.
   *
   * Requires the scope `conversations:read`.
   */
  conversations(
    contactId: number,
    query: Omit<ListContactConversationsQuery, "cursor"> = {},
    options: Options = {},
  ): AsyncGenerator<Conversation, void> {
    return pages((cursor) => this.conversationsPage(contactId, { limit: 100, ...query, cursor }, options));
  }

  /**
   * Start a conversation with a contact.
   *
   * The conversation and its first message are written together, or neither is.
   *
   * Only if the account's channel has `canStart`, and to a known address of the contact: their id on an
   * account of that channel, their email address, or their phone number with its country code. An
   * address of another contact is refused (`address_of_another`) until the two are merged. Where each
   * contact has only one conversation, as in a chat, the message goes into the one they have.
   *
   * Requires the scope `messages:write`.
   */
  start(contactId: number, body: CreateConversation, options: PostOptions = {}): Promise<Started> {
    return this.http.json("POST", "/contacts/{}/conversations", [contactId], { body, options });
  }

  /**
   * Opt a contact out of automated messages.
   *
   * People can still reply to them. Repeating it changes nothing.
   *
   * Requires the scope `contacts:write`.
   */
  optOut(contactId: number, body: OptOut = {}, options: Options = {}): Promise<Contact> {
    return this.http.json("PUT", "/contacts/{}/opt-out", [contactId], { body, options });
  }

  /**
   * Opt a contact in to automated messages again.
   *
   * Only if the contact asked for it.
   *
   * Requires the scope `contacts:write`.
   */
  optIn(contactId: number, options: Options = {}): Promise<void> {
    return this.http.none("DELETE", "/contacts/{}/opt-out", [contactId], { options });
  }

  /**
   * Block a contact.
   *
   * Blocks them here, and at each provider that supports it. Their current and new conversations become
   * spam.
   *
   * The contact is not notified. Repeat the request to retry providers that failed.
   *
   * Requires the scope `contacts:write`.
   */
  block(contactId: number, options: Options = {}): Promise<Blocked> {
    return this.http.json("PUT", "/contacts/{}/block", [contactId], { options });
  }

  /**
   * Unblock a contact.
   *
   * Conversations that the block moved to spam, or that started since, leave spam.
   *
   * Requires the scope `contacts:write`.
   */
  unblock(contactId: number, options: Options = {}): Promise<Blocked> {
    return this.http.json("DELETE", "/contacts/{}/block", [contactId], { options });
  }

  /**
   * Merge another contact into this one.
   *
   * Their accounts and conversations move to this contact, and requests for the other id return this
   * contact.
   *
   * If one of them opted out, the result has too. It can be split again at any time.
   *
   * Requires the scope `contacts:write`.
   */
  merge(contactId: number, body: MergeContact, options: PostOptions = {}): Promise<Merged> {
    return this.http.json("POST", "/contacts/{}/merge", [contactId], { body, options });
  }

  /**
   * Split a merged contact.
   *
   * Returns the restored contact, with its accounts and all their current conversations.
   *
   * Requires the scope `contacts:write`.
   */
  split(contactId: number, body: Splitting, options: PostOptions = {}): Promise<Contact> {
    return this.http.json("POST", "/contacts/{}/split", [contactId], { body, options });
  }

  /**
   * Export a contact.
   *
   * A zip with `contact.json`, a page to read, and the stored files.
   *
   * Unsent and erased content is left out. So is everything of accounts that a limited key doesn't see:
   * `leftOut` in the JSON, and a line on the page, say how many accounts and conversations that were.
   *
   * Requires the scope `export`.
   */
  export(contactId: number, options: Options = {}): Promise<Blob> {
    return this.http.blob("GET", "/contacts/{}/export", [contactId], { options });
  }

  /**
   * Erase a contact.
   *
   * Deletes what is stored about a person, permanently: their profile, and the content of every message,
   * note and file of their conversations.
   *
   * Conversations stay, empty, and queued replies are not sent. Erasing a contact again also erases what
   * arrived since. A merged contact is erased by the `id` of the one it is part of.
   *
   * Requires the scope `erase`. Not for keys that are limited to some accounts.
   */
  erase(contactId: number, options: VersionedOptions = {}): Promise<void> {
    return this.http.none("DELETE", "/contacts/{}", [contactId], { options });
  }
}

export class AttributesCalls extends Calls {
  /**
   * List contact attributes.
   *
   * All of them, in the order they were created.
   *
   * Requires the scope `contacts:read`.
   */
  list(options: Options = {}): Promise<Attribute[]> {
    return this.http.data("GET", "/contact-attributes", [], { options });
  }

  /**
   * Get a contact attribute.
   *
   * Its name, type and choices.
   *
   * Requires the scope `contacts:read`.
   */
  get(attributeId: number, options: Options = {}): Promise<Attribute> {
    return this.http.json("GET", "/contact-attributes/{}", [attributeId], { options });
  }

  /**
   * Add a contact attribute.
   *
   * Names are unique, ignoring case. A workspace has 50 at most.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  create(body: CreateAttribute, options: PostOptions = {}): Promise<Attribute> {
    return this.http.json("POST", "/contact-attributes", [], { body, options });
  }

  /**
   * Change a contact attribute.
   *
   * Contacts keep values that are no longer among the choices.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  change(
    attributeId: number,
    body: UpdateAttribute = {},
    options: VersionedOptions = {},
  ): Promise<Attribute> {
    return this.http.json("PATCH", "/contact-attributes/{}", [attributeId], { body, options });
  }

  /**
   * Delete a contact attribute.
   *
   * Deletes the contacts' values too.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  delete(attributeId: number, options: VersionedOptions = {}): Promise<void> {
    return this.http.none("DELETE", "/contact-attributes/{}", [attributeId], { options });
  }
}

export class AccountsCalls extends Calls {
  /**
   * List accounts.
   *
   * All accounts the workspace ever connected, including disconnected ones.
   *
   * Requires the scope `conversations:read` or `messages:read` or `messages:write` or `contacts:read` or
   * `reports:read` or `automation:read` or `settings:read`.
   */
  list(options: Options = {}): Promise<Account[]> {
    return this.http.data("GET", "/accounts", [], { options });
  }

  /**
   * Get an account.
   *
   * The account, with what can be sent through it and the limits.
   *
   * Requires the scope `conversations:read` or `messages:read` or `messages:write` or `contacts:read` or
   * `reports:read` or `automation:read` or `settings:read`.
   */
  get(accountId: number | string, options: Options = {}): Promise<Account> {
    return this.http.json("GET", "/accounts/{}", [accountId], { options });
  }

  /**
   * Set the response time of an account.
   *
   * Sets the minutes within which customers should be answered, from their first unanswered message.
   *
   * The new target also applies to customers who are already waiting. Reports measure each wait by the
   * target that applied when it began.
   *
   * Requires the scope `settings:write`.
   */
  change(accountId: number | string, body: UpdateAccount = {}, options: Options = {}): Promise<Account> {
    return this.http.json("PATCH", "/accounts/{}", [accountId], { body, options });
  }

  /**
   * List channels to connect.
   *
   * Each with the fields of its form. Signing in at a provider is only possible on the page.
   *
   * Requires the scope `settings:read`.
   */
  channels(options: Options = {}): Promise<Channel[]> {
    return this.http.data("GET", "/channels", [], { options });
  }

  /**
   * Connect an account.
   *
   * Checks the values with the provider, and stores the account. Credentials are never returned.
   *
   * An account that was connected before keeps its `id` and its conversations. A wrong value is named by
   * `field`, such as `values.token`.
   *
   * Requires the scope `accounts:write`. Not for keys that are limited to some accounts.
   */
  connect(body: ConnectAccount, options: PostOptions = {}): Promise<ConnectedAccount> {
    return this.http.json("POST", "/accounts", [], { body, options });
  }

  /**
   * Disconnect an account.
   *
   * The account neither receives nor sends any more. Its conversations stay. Repeating it does nothing.
   *
   * Requires the scope `accounts:write`. Not for keys that are limited to some accounts.
   */
  disconnect(accountId: number | string, options: Options = {}): Promise<DisconnectedAccount> {
    return this.http.json("DELETE", "/accounts/{}", [accountId], { options });
  }

  /**
   * Diagnose an account.
   *
   * Runs the checks of the page *Diagnose*, some of which ask the provider. It changes nothing.
   *
   * What to fix first comes first.
   *
   * Requires the scope `settings:write`.
   */
  diagnose(accountId: number | string, options: PostOptions = {}): Promise<Diagnosis> {
    return this.http.json("POST", "/accounts/{}/diagnosis", [accountId], { options, takes: 60 });
  }

  /**
   * Get the ice breakers of an account.
   *
   * The current ice breakers at the provider.
   *
   * Requires the scope `automation:read`.
   */
  iceBreakers(accountId: number | string, options: Options = {}): Promise<IceBreakersOfAccount> {
    return this.http.json("GET", "/accounts/{}/ice-breakers", [accountId], { options });
  }

  /**
   * Set the ice breakers of an account.
   *
   * Replaces all of them; returns those the provider has afterwards.
   *
   * Requires the scope `settings:write`.
   */
  setIceBreakers(
    accountId: number | string,
    body: IceBreakersOfAccount,
    options: Options = {},
  ): Promise<IceBreakersOfAccount> {
    return this.http.json("PUT", "/accounts/{}/ice-breakers", [accountId], { body, options });
  }

  /**
   * Remove the ice breakers of an account.
   *
   * In every locale.
   *
   * Requires the scope `settings:write`.
   */
  deleteIceBreakers(accountId: number | string, options: Options = {}): Promise<void> {
    return this.http.none("DELETE", "/accounts/{}/ice-breakers", [accountId], { options });
  }

  /**
   * Get the menu of an account.
   *
   * The current menu at the provider.
   *
   * Requires the scope `automation:read`.
   */
  menu(accountId: number | string, options: Options = {}): Promise<MenuOfAccount> {
    return this.http.json("GET", "/accounts/{}/menu", [accountId], { options });
  }

  /**
   * Set the menu of an account.
   *
   * Replaces all of it; returns the menu the provider has afterwards.
   *
   * Requires the scope `settings:write`.
   */
  setMenu(accountId: number | string, body: MenuOfAccount, options: Options = {}): Promise<MenuOfAccount> {
    return this.http.json("PUT", "/accounts/{}/menu", [accountId], { body, options });
  }

  /**
   * Remove the menu of an account.
   *
   * In every locale.
   *
   * Requires the scope `settings:write`.
   */
  deleteMenu(accountId: number | string, options: Options = {}): Promise<void> {
    return this.http.none("DELETE", "/accounts/{}/menu", [accountId], { options });
  }

  /** Return one page; see {@link templates}. */
  templatesPage(
    accountId: number | string,
    query: ListTemplatesQuery = {},
    options: Options = {},
  ): Promise<ApprovedTemplates> {
    return this.http.json("GET", "/accounts/{}/templates", [accountId], { query, options });
  }

  /**
   * List approved templates. It goes through all pages.
   *
   * The texts that the provider checks in advance, in every state.
   *
   * Only those that are `approved` can be sent, in a message of the kind `approved_template`.
   *
   * The provider is asked while you wait; a page is cached for two minutes.
   *
   * Requires the scope `messages:read` or `messages:write`.
   */
  templates(
    accountId: number | string,
    query: Omit<ListTemplatesQuery, "cursor"> = {},
    options: Options = {},
  ): AsyncGenerator<ApprovedTemplate, void> {
    return pages((cursor) => this.templatesPage(accountId, { ...query, cursor }, options));
  }

  /**
   * Get the automation of an account.
   *
   * Its greeting, its away message, and the assignment of its new conversations.
   *
   * Requires the scope `automation:read`.
   */
  automation(accountId: number | string, options: Options = {}): Promise<AccountAutomation> {
    return this.http.json("GET", "/accounts/{}/automation", [accountId], { options });
  }

  /**
   * Set the automation of an account.
   *
   * Replaces all settings. Invalid ones are refused with their path: `greeting.text`.
   *
   * Requires the scope `settings:write`.
   */
  setAutomation(
    accountId: number | string,
    body: UpdateAutomation,
    options: Options = {},
  ): Promise<AccountAutomation> {
    return this.http.json("PUT", "/accounts/{}/automation", [accountId], {
      body,
      options,
      once: isSet(body.version),
    });
  }
}

export class LabelsCalls extends Calls {
  /**
   * List labels.
   *
   * All labels, by name.
   *
   * Requires the scope `conversations:read`.
   */
  list(options: Options = {}): Promise<LabelRef[]> {
    return this.http.data("GET", "/labels", [], { options });
  }

  /**
   * Get a label.
   *
   * Its name and color.
   *
   * Requires the scope `conversations:read`.
   */
  get(labelId: number, options: Options = {}): Promise<LabelRef> {
    return this.http.json("GET", "/labels/{}", [labelId], { options });
  }

  /**
   * Add a label.
   *
   * Names are unique, ignoring case.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  create(body: CreateLabel, options: PostOptions = {}): Promise<LabelRef> {
    return this.http.json("POST", "/labels", [], { body, options });
  }

  /**
   * Change the name or color of a label.
   *
   * Every conversation with the label shows the change immediately.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  change(labelId: number, body: UpdateLabel = {}, options: VersionedOptions = {}): Promise<LabelRef> {
    return this.http.json("PATCH", "/labels/{}", [labelId], { body, options });
  }

  /**
   * Delete a label.
   *
   * Removes it from every conversation; the conversations stay.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  delete(labelId: number, options: VersionedOptions = {}): Promise<void> {
    return this.http.none("DELETE", "/labels/{}", [labelId], { options });
  }

  /**
   * Merge a label into another.
   *
   * Every conversation with the first label gets the second; the first is deleted. Returns the second.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  merge(labelId: number, body: MergeLabel, options: PostOptions = {}): Promise<LabelRef> {
    return this.http.json("POST", "/labels/{}/merge", [labelId], { body, options });
  }
}

export class TeamsCalls extends Calls {
  /**
   * List teams.
   *
   * All teams, by name.
   *
   * Requires the scope `conversations:read`.
   */
  list(options: Options = {}): Promise<Team[]> {
    return this.http.data("GET", "/teams", [], { options });
  }

  /**
   * Get a team.
   *
   * Its members and accounts.
   *
   * Requires the scope `conversations:read`.
   */
  get(teamId: number, options: Options = {}): Promise<Team> {
    return this.http.json("GET", "/teams/{}", [teamId], { options });
  }

  /**
   * Add a team.
   *
   * Names are unique, ignoring case.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  create(body: CreateTeam, options: PostOptions = {}): Promise<Team> {
    return this.http.json("POST", "/teams", [], { body, options });
  }

  /**
   * Change a team.
   *
   * Changes its name, members and accounts.
   *
   * Agents limited to their teams' accounts see the result immediately. Conversations assigned to them
   * on accounts they no longer see become unassigned.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  change(teamId: number, body: UpdateTeam = {}, options: VersionedOptions = {}): Promise<Team> {
    return this.http.json("PATCH", "/teams/{}", [teamId], { body, options });
  }

  /**
   * Delete a team.
   *
   * Its conversations then have no team, but keep their assignees.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  delete(teamId: number, options: VersionedOptions = {}): Promise<void> {
    return this.http.none("DELETE", "/teams/{}", [teamId], { options });
  }
}

export class HoursCalls extends Calls {
  /**
   * Get the hours of the workspace.
   *
   * The hours of the workspace, and whether it is open now.
   *
   * Requires the scope `settings:read`.
   */
  get(options: Options = {}): Promise<BusinessHours> {
    return this.http.json("GET", "/hours", [], { options });
  }

  /**
   * Set the hours of the workspace.
   *
   * Replaces all hours. Enter hours past midnight as two: to `24:00`, and from `00:00` on the next day.
   *
   * Invalid hours are refused with their place: `week.monday`, `exceptions[0]`.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  set(body: UpdateHours, options: Options = {}): Promise<BusinessHours> {
    return this.http.json("PUT", "/hours", [], { body, options, once: isSet(body.version) });
  }

  /**
   * Get the hours of a team.
   *
   * The team's own hours, if it has any, and whether it is open now according to the hours in effect.
   *
   * Requires the scope `settings:read`.
   */
  getTeam(teamId: number, options: Options = {}): Promise<BusinessHours> {
    return this.http.json("GET", "/teams/{}/hours", [teamId], { options });
  }

  /**
   * Set the hours of a team.
   *
   * Sets hours of its own or, with `week` null, uses those of the workspace.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  setTeam(teamId: number, body: UpdateHours, options: Options = {}): Promise<BusinessHours> {
    return this.http.json("PUT", "/teams/{}/hours", [teamId], { body, options, once: isSet(body.version) });
  }
}

export class RulesCalls extends Calls {
  /**
   * List rules.
   *
   * All rules, in the order in which they are evaluated, each with its counts of the last 24 hours.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  list(options: Options = {}): Promise<Rule[]> {
    return this.http.data("GET", "/rules", [], { options });
  }

  /**
   * Get a rule.
   *
   * The rule, with its counts of the last 24 hours.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  get(ruleId: number, options: Options = {}): Promise<Rule> {
    return this.http.json("GET", "/rules/{}", [ruleId], { options });
  }

  /**
   * Add a rule.
   *
   * Adds a rule after the others. By default it is in `shadow`: it only records what it would have done.
   *
   * An invalid rule is refused with the path of the error: `body.conditions[2]`.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  create(body: CreateRule, options: PostOptions = {}): Promise<Rule> {
    return this.http.json("POST", "/rules", [], { body, options });
  }

  /**
   * Replace a rule.
   *
   * Replaces its name and definition. Earlier versions are kept, and runs name the version they used.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  replace(ruleId: number, body: ReplaceRule, options: Options = {}): Promise<Rule> {
    return this.http.json("PUT", "/rules/{}", [ruleId], { body, options, once: isSet(body.version) });
  }

  /**
   * Change the state of a rule.
   *
   * A rule that refers to something deleted cannot become `live` or `shadow`, but can be turned off.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  change(ruleId: number, body: UpdateRule, options: Options = {}): Promise<Rule> {
    return this.http.json("PATCH", "/rules/{}", [ruleId], { body, options });
  }

  /**
   * Move a rule.
   *
   * Rules are evaluated from first to last. Returns all of them, in their new order.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  move(ruleId: number, body: RuleMove, options: PostOptions = {}): Promise<Rule[]> {
    return this.http.data("POST", "/rules/{}/move", [ruleId], { body, options });
  }

  /**
   * Delete a rule.
   *
   * Deletes the rule and all its versions. Its past actions are not undone.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  delete(ruleId: number, options: Options = {}): Promise<void> {
    return this.http.none("DELETE", "/rules/{}", [ruleId], { options });
  }

  /** Return one page; see {@link runs}. */
  page(ruleId: number, query: ListRuleRunsQuery = {}, options: Options = {}): Promise<RuleRuns> {
    return this.http.json("GET", "/rules/{}/runs", [ruleId], { query, options });
  }

  /**
   * List the runs of a rule. It goes through all pages.
   *
   * Runs in which it matched or at least met its first condition, with the result of each; newest first.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  runs(
    ruleId: number,
    query: Omit<ListRuleRunsQuery, "cursor"> = {},
    options: Options = {},
  ): AsyncGenerator<RuleRun, void> {
    return pages((cursor) => this.page(ruleId, { limit: 100, ...query, cursor }, options));
  }

  /** Return one page; see {@link people}. */
  peoplePage(
    ruleId: number,
    query: ListCampaignPeopleQuery = {},
    options: Options = {},
  ): Promise<CampaignPeople> {
    return this.http.json("GET", "/campaigns/{}/people", [ruleId], { query, options });
  }

  /**
   * List the people of a campaign. It goes through all pages.
   *
   * Each person with the reply they got and the reason. Empty for a rule without `campaign`.
   *
   * Requires the scope `automation:read` and `contacts:read`. Not for keys that are limited to some
   * accounts.
   */
  people(
    ruleId: number,
    query: Omit<ListCampaignPeopleQuery, "cursor"> = {},
    options: Options = {},
  ): AsyncGenerator<CampaignPerson, void> {
    return pages((cursor) => this.peoplePage(ruleId, { limit: 100, ...query, cursor }, options));
  }
}

export class SequencesCalls extends Calls {
  /**
   * List sequences.
   *
   * All sequences, in order. A message that could start several starts the first of them.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  list(options: Options = {}): Promise<ListedSequence[]> {
    return this.http.data("GET", "/sequences", [], { options });
  }

  /**
   * Get a sequence.
   *
   * The sequence with its newest version, and what keeps that from being published.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  get(sequenceId: number, options: Options = {}): Promise<SequenceDetail> {
    return this.http.json("GET", "/sequences/{}", [sequenceId], { options });
  }

  /**
   * Add a sequence.
   *
   * Adds a draft after the others. Publish it to let it start.
   *
   * An invalid sequence is refused with the path of the error: `body.steps[2].text`.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  create(body: CreateSequence, options: PostOptions = {}): Promise<SequenceDetail> {
    return this.http.json("POST", "/sequences", [], { body, options });
  }

  /**
   * Replace a sequence.
   *
   * Replaces its name and its draft. A published version is kept as it is, and stays live until the
   * draft is published.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  replace(sequenceId: number, body: ReplaceSequence, options: Options = {}): Promise<SequenceDetail> {
    return this.http.json("PUT", "/sequences/{}", [sequenceId], {
      body,
      options,
      once: isSet(body.changedAt),
    });
  }

  /**
   * Publish a sequence.
   *
   * Publishes the newest version, if it has no `problems`. Runs that are under way end on their version.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  publish(sequenceId: number, options: PostOptions = {}): Promise<SequenceDetail> {
    return this.http.json("POST", "/sequences/{}/publish", [sequenceId], { options });
  }

  /**
   * Turn off a sequence.
   *
   * Nothing starts in it any more. Runs go on, unless they are to end, too.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  turnOff(
    sequenceId: number,
    body: TurnOffSequence = {},
    options: PostOptions = {},
  ): Promise<SequenceDetail> {
    return this.http.json("POST", "/sequences/{}/off", [sequenceId], { body, options });
  }

  /**
   * Move a sequence.
   *
   * A message that could start several starts the first. Returns all of them, in their new order.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  move(sequenceId: number, body: SequenceMove, options: PostOptions = {}): Promise<ListedSequence[]> {
    return this.http.data("POST", "/sequences/{}/move", [sequenceId], { body, options });
  }

  /**
   * Replace the signing secret of a sequence.
   *
   * Its steps that call a webhook are signed with it from now on, as Standard Webhooks says.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  replaceSecret(sequenceId: number, options: PostOptions = {}): Promise<SequenceSecret> {
    return this.http.json("POST", "/sequences/{}/secret", [sequenceId], { options });
  }

  /**
   * Delete a sequence.
   *
   * Deletes it with all versions and runs. Refused while customers are in it: end their runs first.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  delete(sequenceId: number, options: Options = {}): Promise<void> {
    return this.http.none("DELETE", "/sequences/{}", [sequenceId], { options });
  }

  /** Return one page; see {@link versions}. */
  versionsPage(
    sequenceId: number,
    query: ListSequenceVersionsQuery = {},
    options: Options = {},
  ): Promise<SequenceVersions> {
    return this.http.json("GET", "/sequences/{}/versions", [sequenceId], { query, options });
  }

  /**
   * List the versions of a sequence. It goes through all pages.
   *
   * Newest first. A version that was published is never changed.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  versions(
    sequenceId: number,
    query: Omit<ListSequenceVersionsQuery, "cursor"> = {},
    options: Options = {},
  ): AsyncGenerator<ListedSequenceVersion, void> {
    return pages((cursor) => this.versionsPage(sequenceId, { limit: 100, ...query, cursor }, options));
  }

  /**
   * Get a version of a sequence.
   *
   * A version with its definition. `version_id` is its `number`.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  version(sequenceId: number, versionId: number, options: Options = {}): Promise<SequenceVersion> {
    return this.http.json("GET", "/sequences/{}/versions/{}", [sequenceId, versionId], { options });
  }

  /** Return one page; see {@link runs}. */
  page(sequenceId: number, query: ListSequenceRunsQuery = {}, options: Options = {}): Promise<SequenceRuns> {
    return this.http.json("GET", "/sequences/{}/runs", [sequenceId], { query, options });
  }

  /**
   * List the runs of a sequence. It goes through all pages.
   *
   * The customers in it, and those who were; the last to start first.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  runs(
    sequenceId: number,
    query: Omit<ListSequenceRunsQuery, "cursor"> = {},
    options: Options = {},
  ): AsyncGenerator<SequenceRun, void> {
    return pages((cursor) => this.page(sequenceId, { limit: 100, ...query, cursor }, options));
  }

  /**
   * Get a run of a sequence.
   *
   * The run with the steps it entered, and the answers it keeps.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  run(sequenceId: number, runId: number, options: Options = {}): Promise<SequenceRunDetail> {
    return this.http.json("GET", "/sequences/{}/runs/{}", [sequenceId, runId], { options });
  }

  /**
   * Get the numbers of a sequence.
   *
   * How many customers who started in these days reached each step of a version, and where they left.
   *
   * The default is the last 28 days, including today. A version of a newer Lobby has no steps.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  numbers(
    sequenceId: number,
    query: GetSequenceNumbersQuery = {},
    options: Options = {},
  ): Promise<SequenceNumbers> {
    return this.http.json("GET", "/sequences/{}/numbers", [sequenceId], { query, options });
  }

  /**
   * Start a sequence.
   *
   * Starts the live version in a conversation. `programs` of its `starts` must be true, the reply window
   * open for automated messages, and the customer in no sequence.
   *
   * Its first messages are queued with the answer. A run that can't go on has ended with a `reason`.
   *
   * Requires the scope `automation:write` and `messages:write`. Not for keys that are limited to some
   * accounts.
   */
  start(sequenceId: number, body: StartSequence, options: PostOptions = {}): Promise<SequenceRunDetail> {
    return this.http.json("POST", "/sequences/{}/runs", [sequenceId], { body, options });
  }

  /**
   * End a run of a sequence.
   *
   * Takes the customer out of the sequence. Nothing is sent. A run that ended stays as it is.
   *
   * Requires the scope `automation:write`. Not for keys that are limited to some accounts.
   */
  end(sequenceId: number, runId: number, options: PostOptions = {}): Promise<SequenceRunDetail> {
    return this.http.json("POST", "/sequences/{}/runs/{}/end", [sequenceId, runId], { options });
  }
}

export class AssistantsCalls extends Calls {
  /**
   * List assistants.
   *
   * All of them, at most 20, with the accounts where they are not off.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  list(options: Options = {}): Promise<Assistant[]> {
    return this.http.data("GET", "/assistants", [], { options });
  }

  /**
   * Get an assistant.
   *
   * Includes its content, and its mode on each account.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  get(assistantId: number, options: Options = {}): Promise<Assistant> {
    return this.http.json("GET", "/assistants/{}", [assistantId], { options });
  }

  /**
   * Add an assistant.
   *
   * The new assistant is on no account, knows nothing and sends nothing.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  create(body: CreateAssistant, options: PostOptions = {}): Promise<Assistant> {
    return this.http.json("POST", "/assistants", [], { body, options });
  }

  /**
   * Replace the content of an assistant.
   *
   * Replaces its name, prompt, limits and built-in tools. The earlier content is kept as a version.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  replace(assistantId: number, body: ReplaceAssistant, options: Options = {}): Promise<Assistant> {
    return this.http.json("PUT", "/assistants/{}", [assistantId], {
      body,
      options,
      once: isSet(body.version),
    });
  }

  /**
   * Stop an assistant, or change its model.
   *
   * Stopping also discards every turn that is waiting, being answered or ready, in the same write.
   *
   * Only a person can let a stopped assistant go on that answers on an account (`person_required`).
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  change(assistantId: number, body: UpdateAssistant = {}, options: Options = {}): Promise<Assistant> {
    return this.http.json("PATCH", "/assistants/{}", [assistantId], { body, options });
  }

  /**
   * Delete an assistant.
   *
   * Deletes its knowledge too. Messages it sent stay, and people take over its conversations.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  delete(assistantId: number, options: Options = {}): Promise<void> {
    return this.http.none("DELETE", "/assistants/{}", [assistantId], { options });
  }

  /**
   * List the versions of an assistant.
   *
   * To restore one, replace the current body with its body.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  versions(assistantId: number, options: Options = {}): Promise<AssistantVersion[]> {
    return this.http.data("GET", "/assistants/{}/versions", [assistantId], { options });
  }

  /**
   * Set the mode of an assistant on an account.
   *
   * An account has one assistant: setting a mode takes the account from another assistant.
   *
   * Letting an assistant answer by itself needs a person, who does it on the page (`person_required`). A
   * key can take that back with any other mode, and change `answersOn` and `needed`.
   *
   * A key from before scopes can still set `answer`. That requires `earned` to reach `needed`; before,
   * it requires the name of the account in `typedName`. The audit log records which key allowed it.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  setMode(
    assistantId: number,
    accountId: number | string,
    body: AssistantMode,
    options: Options = {},
  ): Promise<Assistant> {
    return this.http.json("PUT", "/assistants/{}/accounts/{}", [assistantId, accountId], { body, options });
  }

  /**
   * Get the figures of an assistant.
   *
   * By the day on which a turn began, with the usage of the day's and month's limits.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  figures(
    assistantId: number,
    query: GetAssistantFiguresQuery = {},
    options: Options = {},
  ): Promise<AssistantFigures> {
    return this.http.json("GET", "/assistants/{}/figures", [assistantId], { query, options });
  }

  /**
   * List language models.
   *
   * Models that an assistant can use. They are set up on the desk's pages.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  models(options: Options = {}): Promise<LanguageModel[]> {
    return this.http.data("GET", "/language-models", [], { options });
  }

  /** Return one page; see {@link knowledge}. */
  knowledgePage(
    assistantId: number,
    query: ListKnowledgeQuery = {},
    options: Options = {},
  ): Promise<Knowledge> {
    return this.http.json("GET", "/assistants/{}/knowledge", [assistantId], { query, options });
  }

  /**
   * List knowledge entries. It goes through all pages.
   *
   * Without their text, but with the state of each.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  knowledge(
    assistantId: number,
    query: Omit<ListKnowledgeQuery, "cursor"> = {},
    options: Options = {},
  ): AsyncGenerator<KnowledgeEntry, void> {
    return pages((cursor) => this.knowledgePage(assistantId, { limit: 100, ...query, cursor }, options));
  }

  /**
   * Add a knowledge entry.
   *
   * A text with a title, or a page by its address.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  addKnowledge(
    assistantId: number,
    body: CreateKnowledge = {},
    options: PostOptions = {},
  ): Promise<KnowledgeEntry> {
    return this.http.json("POST", "/assistants/{}/knowledge", [assistantId], { body, options });
  }

  /**
   * Get a knowledge entry.
   *
   * Includes its text.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  getKnowledge(assistantId: number, knowledgeId: number, options: Options = {}): Promise<KnowledgeEntry> {
    return this.http.json("GET", "/assistants/{}/knowledge/{}", [assistantId, knowledgeId], { options });
  }

  /**
   * Replace a knowledge entry.
   *
   * Saving a text that people wrote also marks it as checked today.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  replaceKnowledge(
    assistantId: number,
    knowledgeId: number,
    body: ReplaceKnowledge,
    options: Options = {},
  ): Promise<KnowledgeEntry> {
    return this.http.json("PUT", "/assistants/{}/knowledge/{}", [assistantId, knowledgeId], {
      body,
      options,
    });
  }

  /**
   * Confirm a knowledge entry.
   *
   * A page is read again shortly. Any other entry is marked as checked now.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  checkKnowledge(
    assistantId: number,
    knowledgeId: number,
    options: PostOptions = {},
  ): Promise<KnowledgeEntry> {
    return this.http.json("POST", "/assistants/{}/knowledge/{}/check", [assistantId, knowledgeId], {
      options,
    });
  }

  /**
   * List the tool calls of a conversation.
   *
   * Includes those that a person has to decide about, because the tool asks for approval.
   *
   * Requires the scope `automation:read` and `messages:read`.
   */
  toolCalls(
    conversationId: number,
    query: ListToolCallsQuery = {},
    options: Options = {},
  ): Promise<AssistantToolCall[]> {
    return this.http.data("GET", "/conversations/{}/tool-calls", [conversationId], { query, options });
  }

  /**
   * Approve a tool call.
   *
   * Runs the call with the arguments that were shown, and returns its result.
   *
   * For programs through which a person decides, such as a chat of the team: a key whose messages are
   * automated is refused (`person_required`). Each call is decided once.
   *
   * Requires the scope `approve`.
   */
  approve(
    conversationId: number,
    callId: number,
    body: ApproveToolCall,
    options: PostOptions = {},
  ): Promise<AssistantToolCall> {
    return this.http.json("POST", "/conversations/{}/tool-calls/{}/approve", [conversationId, callId], {
      body,
      options,
    });
  }

  /**
   * Refuse a tool call.
   *
   * The tool isn't used. Each call is decided once.
   *
   * Requires the scope `automation:write`.
   */
  refuse(conversationId: number, callId: number, options: PostOptions = {}): Promise<AssistantToolCall> {
    return this.http.json("POST", "/conversations/{}/tool-calls/{}/refuse", [conversationId, callId], {
      options,
    });
  }

  /**
   * List past answers.
   *
   * Those the assistant already knows are left out.
   *
   * Add one with `POST /assistants/{assistant_id}/knowledge`, without the personal data.
   *
   * Requires the scope `automation:read` and `messages:read`. Not for keys that are limited to some
   * accounts.
   */
  pastAnswers(assistantId: number, options: Options = {}): Promise<PastAnswer[]> {
    return this.http.data("GET", "/assistants/{}/past-answers", [assistantId], { options });
  }

  /**
   * Dismiss a past answer.
   *
   * The answer isn't suggested again, nor are similar ones. Repeating it does nothing.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  dismissPastAnswer(
    assistantId: number,
    body: DismissPastAnswer,
    options: PostOptions = {},
  ): Promise<DismissedPastAnswer> {
    return this.http.json("POST", "/assistants/{}/past-answers/dismiss", [assistantId], { body, options });
  }

  /**
   * Restore a past answer.
   *
   * The answer is suggested again.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  restorePastAnswer(assistantId: number, dismissedId: number, options: Options = {}): Promise<void> {
    return this.http.none("DELETE", "/assistants/{}/past-answers/dismissed/{}", [assistantId, dismissedId], {
      options,
    });
  }

  /**
   * Delete a knowledge entry.
   *
   * The entry is no longer used from this moment. Messages that cited it stay.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  deleteKnowledge(assistantId: number, knowledgeId: number, options: Options = {}): Promise<void> {
    return this.http.none("DELETE", "/assistants/{}/knowledge/{}", [assistantId, knowledgeId], { options });
  }

  /**
   * Add a file as a knowledge entry.
   *
   * A PDF, Markdown or plain text in UTF-8, as multipart/form-data with one field, `file`; 20 MB at
   * most.
   *
   * Add example questions with `PUT`, which leaves the file's text unchanged.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  addKnowledgeFile(
    assistantId: number,
    file: NamedFile,
    query: CreateKnowledgeFileQuery = {},
    options: PostOptions = {},
  ): Promise<KnowledgeEntry> {
    return this.http.json("POST", "/assistants/{}/knowledge/files", [assistantId], {
      file,
      query,
      options,
      once: true,
    });
  }

  /**
   * Replace the file of a knowledge entry.
   *
   * Only for an entry that is a file. Its questions stay; its title stays unless a new one is given.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  replaceKnowledgeFile(
    assistantId: number,
    knowledgeId: number,
    file: NamedFile,
    query: ReplaceKnowledgeFileQuery = {},
    options: Options = {},
  ): Promise<KnowledgeEntry> {
    return this.http.json("PUT", "/assistants/{}/knowledge/{}/file", [assistantId, knowledgeId], {
      file,
      query,
      options,
    });
  }

  /**
   * Try an assistant in the playground.
   *
   * Nothing is sent or stored. It costs as much as an answer, and can take as long.
   *
   * Only tools that read are run. It doesn't count towards any limit.
   *
   * Requires the scope `automation:write`. Not for keys that are limited to some accounts.
   */
  play(assistantId: number, body: Play, options: PostOptions = {}): Promise<PlayedAnswer> {
    return this.http.json("POST", "/assistants/{}/playground", [assistantId], {
      body,
      options,
      once: true,
      takes: 60,
    });
  }

  /**
   * List tools of an assistant.
   *
   * Tools that are other programs. Built-in ones and those of addons are in its `body.tools`.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  tools(assistantId: number, options: Options = {}): Promise<AssistantTool[]> {
    return this.http.data("GET", "/assistants/{}/tools", [assistantId], { options });
  }

  /**
   * Get a tool of an assistant.
   *
   * Includes whether the tool has a secret, but never the secret.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  getTool(assistantId: number, toolId: number, options: Options = {}): Promise<AssistantTool> {
    return this.http.json("GET", "/assistants/{}/tools/{}", [assistantId, toolId], { options });
  }

  /**
   * Add a tool to an assistant.
   *
   * From now on, customers' messages can be sent to its URL. The audit log records the key.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  addTool(assistantId: number, body: CreateAssistantTool, options: PostOptions = {}): Promise<AssistantTool> {
    return this.http.json("POST", "/assistants/{}/tools", [assistantId], { body, options });
  }

  /**
   * Replace a tool of an assistant.
   *
   * A secret is bound to its host: enter it again for another host.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  replaceTool(
    assistantId: number,
    toolId: number,
    body: ReplaceAssistantTool,
    options: Options = {},
  ): Promise<AssistantTool> {
    return this.http.json("PUT", "/assistants/{}/tools/{}", [assistantId, toolId], { body, options });
  }

  /**
   * Try a tool of an assistant.
   *
   * Calls the program once, marked as a test. Nothing is stored.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  tryTool(
    assistantId: number,
    toolId: number,
    body: Trial = {},
    options: PostOptions = {},
  ): Promise<TriedTool> {
    return this.http.json("POST", "/assistants/{}/tools/{}/try", [assistantId, toolId], {
      body,
      options,
      once: true,
    });
  }

  /**
   * Delete a tool of an assistant.
   *
   * Its past calls stay with their turns.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  deleteTool(assistantId: number, toolId: number, options: Options = {}): Promise<void> {
    return this.http.none("DELETE", "/assistants/{}/tools/{}", [assistantId, toolId], { options });
  }

  /** Return one page; see {@link cases}. */
  casesPage(
    assistantId: number,
    query: ListAssistantCasesQuery = {},
    options: Options = {},
  ): Promise<AssistantCases> {
    return this.http.json("GET", "/assistants/{}/cases", [assistantId], { query, options });
  }

  /**
   * List cases of an assistant. It goes through all pages.
   *
   * Each case comes with the result of its last try.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  cases(
    assistantId: number,
    query: Omit<ListAssistantCasesQuery, "cursor"> = {},
    options: Options = {},
  ): AsyncGenerator<AssistantCase, void> {
    return pages((cursor) => this.casesPage(assistantId, { limit: 100, ...query, cursor }, options));
  }

  /**
   * Get a case.
   *
   * Includes the result of its last try.
   *
   * Requires the scope `automation:read`. Not for keys that are limited to some accounts.
   */
  getCase(assistantId: number, caseId: number, options: Options = {}): Promise<AssistantCase> {
    return this.http.json("GET", "/assistants/{}/cases/{}", [assistantId, caseId], { options });
  }

  /**
   * Add a case.
   *
   * From a question, or from a turn that was wrong.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  addCase(
    assistantId: number,
    body: CreateAssistantCase = {},
    options: PostOptions = {},
  ): Promise<AssistantCase> {
    return this.http.json("POST", "/assistants/{}/cases", [assistantId], { body, options });
  }

  /**
   * Replace a case.
   *
   * The case becomes due to be tried again.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  replaceCase(
    assistantId: number,
    caseId: number,
    body: ReplaceAssistantCase,
    options: Options = {},
  ): Promise<AssistantCase> {
    return this.http.json("PUT", "/assistants/{}/cases/{}", [assistantId, caseId], { body, options });
  }

  /**
   * Delete a case.
   *
   * The answer from its last try is deleted too.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  deleteCase(assistantId: number, caseId: number, options: Options = {}): Promise<void> {
    return this.http.none("DELETE", "/assistants/{}/cases/{}", [assistantId, caseId], { options });
  }

  /**
   * Try cases.
   *
   * Asks the current version each question, one by one, and stores the results.
   *
   * A case that could not be tried stays unchanged. Each costs as much as an answer.
   *
   * Requires the scope `automation:write`. Not for keys that are limited to some accounts.
   */
  tryCases(assistantId: number, body: Tries = {}, options: PostOptions = {}): Promise<TriedCases> {
    return this.http.json("POST", "/assistants/{}/cases/try", [assistantId], {
      body,
      options,
      once: true,
      takes: 80,
    });
  }

  /** Return one page; see {@link turns}. */
  turnsPage(
    assistantId: number,
    query: ListAssistantTurnsQuery = {},
    options: Options = {},
  ): Promise<AssistantTurns> {
    return this.http.json("GET", "/assistants/{}/turns", [assistantId], { query, options });
  }

  /**
   * List the turns of an assistant. It goes through all pages.
   *
   * Includes the outcome of each turn and its reason, also of turns in shadow mode.
   *
   * Requires the scope `automation:read` and `messages:read`. Not for keys that are limited to some
   * accounts.
   */
  turns(
    assistantId: number,
    query: Omit<ListAssistantTurnsQuery, "cursor"> = {},
    options: Options = {},
  ): AsyncGenerator<AssistantTurn, void> {
    return pages((cursor) => this.turnsPage(assistantId, { limit: 100, ...query, cursor }, options));
  }

  /**
   * Rate a turn.
   *
   * A turn rated right counts towards being allowed to answer, also in `shadow`. A wrong one can become
   * a case.
   *
   * Requires the scope `automation:write`. Not for keys that are limited to some accounts.
   */
  judge(assistantId: number, turnId: number, body: Judgement, options: Options = {}): Promise<AssistantTurn> {
    return this.http.json("PATCH", "/assistants/{}/turns/{}", [assistantId, turnId], { body, options });
  }

  /** Return one page; see {@link suggestions}. */
  suggestionsPage(
    conversationId: number,
    query: ListConversationTurnsQuery = {},
    options: Options = {},
  ): Promise<AssistantTurns> {
    return this.http.json("GET", "/conversations/{}/turns", [conversationId], { query, options });
  }

  /**
   * List suggestions of a conversation. It goes through all pages.
   *
   * Newest first, at most one of them `ready`. Turns in shadow mode are left out.
   *
   * Requires the scope `automation:read` and `messages:read`.
   */
  suggestions(
    conversationId: number,
    query: Omit<ListConversationTurnsQuery, "cursor"> = {},
    options: Options = {},
  ): AsyncGenerator<AssistantTurn, void> {
    return pages((cursor) => this.suggestionsPage(conversationId, { limit: 100, ...query, cursor }, options));
  }

  /**
   * Send a suggestion unchanged.
   *
   * Sends it like `POST /messages`, under the same rules. It doesn't count towards being allowed to
   * answer.
   *
   * To send an edited text use `POST /messages`, which invalidates the suggestion.
   *
   * Requires the scope `automation:write` and `messages:write`.
   */
  take(conversationId: number, turnId: number, options: PostOptions = {}): Promise<Sent> {
    return this.http.json("POST", "/conversations/{}/turns/{}/send", [conversationId, turnId], { options });
  }

  /**
   * Dismiss a suggestion.
   *
   * Also stops an assistant that is still thinking. Dismissing twice has no further effect.
   *
   * Requires the scope `automation:write`.
   */
  dismiss(conversationId: number, turnId: number, options: PostOptions = {}): Promise<AssistantTurn> {
    return this.http.json("POST", "/conversations/{}/turns/{}/dismiss", [conversationId, turnId], {
      options,
    });
  }
}

export class CannedRepliesCalls extends Calls {
  /**
   * List canned replies.
   *
   * Shared and team replies. Members' own replies are private.
   *
   * Requires the scope `messages:read`.
   */
  list(options: Options = {}): Promise<CannedReply[]> {
    return this.http.data("GET", "/canned-replies", [], { options });
  }

  /**
   * Get a canned reply.
   *
   * A shared reply, or one of a team.
   *
   * Requires the scope `messages:read`.
   */
  get(cannedId: number, options: Options = {}): Promise<CannedReply> {
    return this.http.json("GET", "/canned-replies/{}", [cannedId], { options });
  }

  /**
   * Add a canned reply.
   *
   * The shortcut must be unique among shared replies, or among those of its team.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  create(body: CreateCannedReply, options: PostOptions = {}): Promise<CannedReply> {
    return this.http.json("POST", "/canned-replies", [], { body, options });
  }

  /**
   * Change a canned reply.
   *
   * Messages already sent with it don't change.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  change(
    cannedId: number,
    body: UpdateCannedReply = {},
    options: VersionedOptions = {},
  ): Promise<CannedReply> {
    return this.http.json("PATCH", "/canned-replies/{}", [cannedId], {
      body,
      options,
      once: isSet(body.uploads),
    });
  }

  /**
   * Delete a canned reply.
   *
   * Deletes its files too. Messages sent with it stay.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  delete(cannedId: number, options: VersionedOptions = {}): Promise<void> {
    return this.http.none("DELETE", "/canned-replies/{}", [cannedId], { options });
  }
}

export class MacrosCalls extends Calls {
  /**
   * List macros.
   *
   * Shared macros. People create them under Settings, Replies and macros.
   *
   * Requires the scope `messages:read`.
   */
  list(options: Options = {}): Promise<Macro[]> {
    return this.http.data("GET", "/macros", [], { options });
  }

  /**
   * Run a macro.
   *
   * Runs all its steps or none, in the name of the key; `macro_step` says which step failed, and why.
   *
   * The response has the messages it sent. A step that assigns to the person running it is refused: a
   * program has no conversations of its own.
   *
   * Requires the scope `conversations:write` and `messages:write`.
   */
  run(conversationId: number, macroId: number, options: PostOptions = {}): Promise<Sent> {
    return this.http.json("POST", "/conversations/{}/macros/{}", [conversationId, macroId], { options });
  }
}

export class ViewsCalls extends Calls {
  /**
   * List shared views.
   *
   * The shared views, in order. Members' private views are not included.
   *
   * Requires the scope `conversations:read`.
   */
  list(options: Options = {}): Promise<View[]> {
    return this.http.data("GET", "/views", [], { options });
  }

  /**
   * Get a shared view.
   *
   * Its name, and what it shows.
   *
   * Requires the scope `conversations:read`.
   */
  get(viewId: number, options: Options = {}): Promise<View> {
    return this.http.json("GET", "/views/{}", [viewId], { options });
  }

  /**
   * Save a shared view.
   *
   * Adds a shared view after the others: a filter or a search.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  create(body: CreateView, options: PostOptions = {}): Promise<View> {
    return this.http.json("POST", "/views", [], { body, options });
  }

  /**
   * Change a shared view.
   *
   * Changes its name, or what it shows.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  change(viewId: number, body: UpdateView = {}, options: VersionedOptions = {}): Promise<View> {
    return this.http.json("PATCH", "/views/{}", [viewId], { body, options });
  }

  /**
   * Delete a shared view.
   *
   * Deletes the view. Its conversations are not changed.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  delete(viewId: number, options: VersionedOptions = {}): Promise<void> {
    return this.http.none("DELETE", "/views/{}", [viewId], { options });
  }
}

export class MembersCalls extends Calls {
  /**
   * List people.
   *
   * All people a conversation can be assigned to. Only a key with `settings:write` gets their emails.
   *
   * Requires the scope `conversations:read` or `messages:read` or `messages:write` or `contacts:read` or
   * `reports:read` or `automation:read` or `settings:read`.
   */
  list(options: Options = {}): Promise<Member[]> {
    return this.http.data("GET", "/members", [], { options });
  }

  /**
   * Put a person on duty or take them off.
   *
   * Conversations of a team go to its members who are on duty. They can change it themselves.
   *
   * Requires the scope `conversations:write`. Not for keys that are limited to some accounts.
   */
  setDuty(memberId: number, body: UpdateDuty, options: Options = {}): Promise<Member> {
    return this.http.json("PUT", "/members/{}/duty", [memberId], { body, options });
  }
}

export class PostsCalls extends Calls {
  /** Return one page; see {@link list}. */
  page(query: ListPostsQuery = {}, options: Options = {}): Promise<Posts> {
    return this.http.json("GET", "/posts", [], { query, options });
  }

  /**
   * List posts. It goes through all pages.
   *
   * Posts with comments of customers, the most recently active first.
   *
   * Requires the scope `conversations:read`.
   */
  list(query: Omit<ListPostsQuery, "cursor"> = {}, options: Options = {}): AsyncGenerator<Post, void> {
    return pages((cursor) => this.page({ limit: 100, ...query, cursor }, options));
  }

  /**
   * Get a post.
   *
   * The known details of the post. Use the filter `post` to list its conversations.
   *
   * Requires the scope `conversations:read`.
   */
  get(postId: number, options: Options = {}): Promise<Post> {
    return this.http.json("GET", "/posts/{}", [postId], { options });
  }
}

export class SearchCalls extends Calls {
  /** Return one page; see {@link list}. */
  page(query: SearchQuery = {}, options: Options = {}): Promise<SearchResults> {
    return this.http.json("GET", "/search", [], { query, options });
  }

  /**
   * Search messages and contacts. It goes through all pages.
   *
   * Words match regardless of case and accents, in any script. Days are in UTC.
   *
   * `contacts` is empty for a key without `contacts:read`.
   *
   * Requires the scope `messages:read`.
   */
  list(query: Omit<SearchQuery, "cursor"> = {}, options: Options = {}): AsyncGenerator<SearchHit, void> {
    return pages((cursor) => this.page({ limit: 100, ...query, cursor }, options));
  }
}

export class FilesCalls extends Calls {
  /**
   * Upload a file.
   *
   * Takes multipart/form-data with one field, `file`, of at most 25 MB.
   *
   * The type is detected from its bytes, not its name. A picture is checked for completeness.
   *
   * Requires the scope `messages:write`.
   */
  upload(file: NamedFile, options: PostOptions = {}): Promise<Upload> {
    return this.http.json("POST", "/uploads", [], { file, options });
  }

  /**
   * Get an upload.
   *
   * A file that a program uploaded and that isn't sent yet.
   *
   * Requires the scope `messages:read`.
   */
  uploaded(uploadId: number | string, options: Options = {}): Promise<Upload> {
    return this.http.json("GET", "/uploads/{}", [uploadId], { options });
  }

  /**
   * Get a file of a message.
   *
   * Returns the bytes of the file, or a part of them with the header `Range`.
   *
   * A file stored at the provider is proxied. If the provider no longer has it, the answer is 410.
   *
   * Requires the scope `messages:read`.
   */
  get(attachmentId: number, options: Options = {}): Promise<Blob> {
    return this.http.blob("GET", "/attachments/{}", [attachmentId], { options });
  }
}

export class EndpointsCalls extends Calls {
  /**
   * List endpoints.
   *
   * Every address that receives events of the workspace.
   *
   * Requires the scope `settings:read`. Not for keys that are limited to some accounts.
   */
  list(options: Options = {}): Promise<Endpoint[]> {
    return this.http.data("GET", "/endpoints", [], { options });
  }

  /**
   * Add an endpoint.
   *
   * Each event is posted to it, signed according to Standard Webhooks. The secret is only shown in this
   * response.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  create(body: CreateEndpoint, options: PostOptions = {}): Promise<WithSecret> {
    return this.http.json("POST", "/endpoints", [], { body, options });
  }

  /**
   * Get an endpoint.
   *
   * Includes its state, and since when it has been failing.
   *
   * Requires the scope `settings:read`. Not for keys that are limited to some accounts.
   */
  get(endpointId: number, options: Options = {}): Promise<Endpoint> {
    return this.http.json("GET", "/endpoints/{}", [endpointId], { options });
  }

  /**
   * Change, pause or resume an endpoint.
   *
   * Pending deliveries go to the new address. After a resume, deliveries that were pending come first.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  change(endpointId: number, body: UpdateEndpoint = {}, options: VersionedOptions = {}): Promise<Endpoint> {
    return this.http.json("PATCH", "/endpoints/{}", [endpointId], { body, options });
  }

  /**
   * Delete an endpoint.
   *
   * Pending deliveries are dropped, and its log is deleted.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  delete(endpointId: number, options: VersionedOptions = {}): Promise<void> {
    return this.http.none("DELETE", "/endpoints/{}", [endpointId], { options });
  }

  /**
   * Rotate the secret of an endpoint.
   *
   * For a day, requests carry two signatures: one with the new secret and one with the old.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  rotate(endpointId: number, options: PostOptions = {}): Promise<WithSecret> {
    return this.http.json("POST", "/endpoints/{}/rotate", [endpointId], { options });
  }

  /**
   * Send a test.
   *
   * Sends the event `endpoint.test`, whatever events the endpoint subscribes to. The result is in its
   * log.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  test(endpointId: number, options: PostOptions = {}): Promise<Delivery> {
    return this.http.json("POST", "/endpoints/{}/test", [endpointId], { options });
  }

  /** Return one page; see {@link deliveries}. */
  page(endpointId: number, query: ListDeliveriesQuery = {}, options: Options = {}): Promise<Deliveries> {
    return this.http.json("GET", "/endpoints/{}/deliveries", [endpointId], { query, options });
  }

  /**
   * List deliveries. It goes through all pages.
   *
   * Newest first; kept for thirty days.
   *
   * Requires the scope `settings:read`. Not for keys that are limited to some accounts.
   */
  deliveries(
    endpointId: number,
    query: Omit<ListDeliveriesQuery, "cursor"> = {},
    options: Options = {},
  ): AsyncGenerator<Delivery, void> {
    return pages((cursor) => this.page(endpointId, { limit: 100, ...query, cursor }, options));
  }

  /**
   * Get a delivery.
   *
   * Includes its body.
   *
   * Requires the scope `settings:read` and `messages:read`. Not for keys that are limited to some
   * accounts.
   */
  delivery(endpointId: number, deliveryId: number, options: Options = {}): Promise<DeliveryWithBody> {
    return this.http.json("GET", "/endpoints/{}/deliveries/{}", [endpointId, deliveryId], { options });
  }

  /**
   * Replay deliveries.
   *
   * Deliveries keep their ids. Content deleted or erased since then is left out.
   *
   * Requires the scope `settings:write`. Not for keys that are limited to some accounts.
   */
  replay(endpointId: number, body: Replay = {}, options: PostOptions = {}): Promise<Replayed> {
    return this.http.json("POST", "/endpoints/{}/replay", [endpointId], { body, options });
  }
}

export class AnalyticsCalls extends Calls {
  /**
   * Get figures.
   *
   * The same figures as on the Reports page; `docs/reports.md` defines each.
   *
   * The range is `from` to `to`, both included, and at most 366 days. The default is the last 28 days,
   * including today.
   *
   * Requires the scope `reports:read`.
   */
  get(query: GetAnalyticsQuery = {}, options: Options = {}): Promise<Analytics> {
    return this.http.json("GET", "/analytics", [], { query, options });
  }
}
