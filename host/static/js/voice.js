// Recording from the microphone and playing back, without a file: samples in, samples out.

const RATE = 24000;
const HEADER = 44;

/** Return why there can be no recording on this page, as a word: `insecure`, `missing`; empty if there can. */
export function cannotRecord() {
  if (!window.isSecureContext) return "insecure";
  return navigator.mediaDevices?.getUserMedia && window.AudioWorkletNode ? "" : "missing";
}

/** A recording under way. Fails to start with a DOMException of `getUserMedia`. */
export class Recording {
  /** Start; *onSamples(chunk, rate)* gets each Int16Array as it comes. */
  static async start(onSamples) {
    const recording = new Recording();
    recording.stream = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true },
    });
    try {
      await recording.listen(onSamples);
    } catch (error) {
      recording.release();
      throw error;
    }
    return recording;
  }

  async listen(onSamples) {
    this.chunks = [];
    await this.open(RATE).catch(() => this.open()); // some browsers record at the microphone's own rate only
    this.node.port.onmessage = ({ data }) => {
      if (data === "end") {
        this.done();
        return;
      }
      this.chunks.push(data);
      onSamples(data, this.rate);
    };
    this.ended = new Promise((resolve) => { this.done = resolve; });
  }

  async open(sampleRate) {
    await this.context?.close();
    this.context = new AudioContext(sampleRate ? { sampleRate } : {});
    await this.context.audioWorklet.addModule(new URL("./voice-worklet.js", import.meta.url));
    this.node = new AudioWorkletNode(this.context, "lobby-recorder", { numberOfOutputs: 0 });
    this.context.createMediaStreamSource(this.stream).connect(this.node);
    await this.context.resume();
  }

  get rate() {
    return this.context.sampleRate;
  }

  /** End it and return its samples. */
  async stop() {
    this.node.port.postMessage("end");
    await this.ended;
    this.release();
    const samples = new Int16Array(this.chunks.reduce((length, chunk) => length + chunk.length, 0));
    let at = 0;
    for (const chunk of this.chunks) {
      samples.set(chunk, at);
      at += chunk.length;
    }
    return samples;
  }

  /** Give the microphone back. */
  release() {
    for (const track of this.stream.getTracks()) track.stop();
    if (this.context && this.context.state !== "closed") this.context.close();
  }
}

/** Return a WAV file of 16-bit samples of one channel. */
export function wav(samples, rate) {
  const view = new DataView(new ArrayBuffer(HEADER + samples.length * 2));
  const text = (at, letters) => [...letters].forEach((letter, index) => view.setUint8(at + index, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, HEADER - 8 + samples.length * 2, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // one channel
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, samples.length * 2, true);
  for (let index = 0; index < samples.length; index += 1) view.setInt16(HEADER + index * 2, samples[index], true);
  return new Blob([view.buffer], { type: "audio/wav" });
}

/** Return how many samples fit into a file of *bytes*. */
export function samplesIn(bytes) {
  return Math.floor((bytes - HEADER) / 2);
}

/** Return *count* heights from 0 to 1: how loud each stretch of *samples* is. */
export function loudness(samples, count) {
  const heights = [];
  for (let bar = 0; bar < count; bar += 1) {
    let peak = 0;
    for (let at = Math.floor((bar * samples.length) / count); at < Math.floor(((bar + 1) * samples.length) / count); at += 1) {
      peak = Math.max(peak, Math.abs(samples[at]));
    }
    heights.push(Math.sqrt(peak / 32768));
  }
  return heights;
}

/** Play samples; returns `stop()`. Calls `onProgress(share)` while it plays and `onEnd()` when it ends. */
export function play(samples, rate, { onProgress, onEnd }) {
  const context = new AudioContext();
  const buffer = context.createBuffer(1, samples.length, rate);
  const channel = buffer.getChannelData(0);
  for (let index = 0; index < samples.length; index += 1) channel[index] = samples[index] / 32768;
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  let frame = 0;
  const follow = () => {
    onProgress(Math.min(1, context.currentTime / buffer.duration));
    frame = requestAnimationFrame(follow);
  };
  source.addEventListener("ended", () => {
    cancelAnimationFrame(frame);
    context.close();
    onEnd();
  });
  source.start();
  follow();
  return () => source.stop();
}
