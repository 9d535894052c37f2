// A voice note as phones make them: Opus, one channel, in an Ogg file (RFC 7845, RFC 3533).

const BITRATE = 32000;
const OPUS_RATE = 48000; // what the positions in the file count, whatever was recorded
const PRE_SKIP = 312; // samples the encoder needs before it says anything
const FRAME_MICROSECONDS = 20000;
const MOST_SEGMENTS = 255;
const PACKETS = 50; // a second each page
const FIRST = 2, LAST = 4;
const SERIAL = 1;

/** Return whether this browser can encode *rate* samples a second. */
export async function canEncode(rate) {
  if (!window.AudioEncoder) return false;
  try {
    return (await AudioEncoder.isConfigSupported(configuration(rate))).supported;
  } catch {
    return false; // the browser does not know what is asked for
  }
}

/** Return an Ogg file of 16-bit samples of one channel. */
export async function ogg(samples, rate) {
  const packets = [];
  let problem = null;
  const encoder = new AudioEncoder({
    output(chunk) {
      const packet = new Uint8Array(chunk.byteLength);
      chunk.copyTo(packet);
      packets.push(packet);
    },
    error(error) { problem = error; },
  });
  encoder.configure(configuration(rate));
  for (let at = 0; at < samples.length; at += rate) {
    const data = samples.slice(at, at + rate);
    const sound = new AudioData({
      format: "s16", sampleRate: rate, numberOfFrames: data.length, numberOfChannels: 1, timestamp: (at / rate) * 1e6, data,
    });
    encoder.encode(sound);
    sound.close();
  }
  await encoder.flush();
  encoder.close();
  if (problem) throw problem;
  return new Blob(pages(packets, rate, Math.round((samples.length * OPUS_RATE) / rate)), { type: "audio/ogg" });
}

function configuration(rate) {
  return {
    codec: "opus", sampleRate: rate, numberOfChannels: 1, bitrate: BITRATE,
    opus: { format: "opus", frameDuration: FRAME_MICROSECONDS },
  };
}

/** Return the pages of a file of *packets* that last for *length* samples at 48 kHz. */
function pages(packets, rate, length) {
  const each = (OPUS_RATE * FRAME_MICROSECONDS) / 1e6;
  const made = [page(0, FIRST, 0, [head(rate)]), page(1, 0, 0, [tags()])];
  let held = [], segments = 0;
  packets.forEach((packet, index) => {
    held.push(packet);
    segments += lacing(packet).length;
    const last = index === packets.length - 1;
    const next = last ? 0 : lacing(packets[index + 1]).length;
    if (!last && held.length < PACKETS && segments + next <= MOST_SEGMENTS) return;
    // The position on the last page cuts off what only fills its packet up.
    const position = last ? Math.min((index + 1) * each, PRE_SKIP + length) : (index + 1) * each;
    made.push(page(made.length, last ? LAST : 0, position, held));
    held = [];
    segments = 0;
  });
  return made;
}

function head(rate) {
  const view = new DataView(new ArrayBuffer(19));
  write(view, 0, "OpusHead");
  view.setUint8(8, 1); // version
  view.setUint8(9, 1); // one channel
  view.setUint16(10, PRE_SKIP, true);
  view.setUint32(12, rate, true);
  return new Uint8Array(view.buffer); // no gain, mapping family 0
}

function tags() {
  const view = new DataView(new ArrayBuffer(21));
  write(view, 0, "OpusTags");
  view.setUint32(8, 5, true);
  write(view, 12, "Lobby");
  return new Uint8Array(view.buffer); // no comments
}

function write(view, at, letters) {
  [...letters].forEach((letter, index) => view.setUint8(at + index, letter.charCodeAt(0)));
}

/** Return the lengths by which a page tells where *packet* ends: as many 255 as fit, and the rest. */
function lacing(packet) {
  return [...Array(Math.floor(packet.length / 255)).fill(255), packet.length % 255];
}

function page(number, flags, position, packets) {
  const lengths = packets.flatMap(lacing);
  const size = packets.reduce((sum, packet) => sum + packet.length, 0);
  const bytes = new Uint8Array(27 + lengths.length + size), view = new DataView(bytes.buffer);
  write(view, 0, "OggS");
  view.setUint8(5, flags);
  view.setBigInt64(6, BigInt(position), true);
  view.setUint32(14, SERIAL, true);
  view.setUint32(18, number, true);
  view.setUint8(26, lengths.length);
  bytes.set(lengths, 27);
  let at = 27 + lengths.length;
  for (const packet of packets) {
    bytes.set(packet, at);
    at += packet.length;
  }
  view.setUint32(22, checksum(bytes), true);
  return bytes;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let found = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) found = (found << 1) ^ (found & 0x80000000 ? 0x04c11db7 : 0);
  return found;
});

function checksum(bytes) {
  let found = 0;
  for (const byte of bytes) found = (found << 8) ^ TABLE[(found >>> 24) ^ byte];
  return found >>> 0;
}
