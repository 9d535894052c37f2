// Runs in the audio thread: turns what the microphone gives into 16-bit samples of one channel.

const CHUNK = 2048;

class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.samples = new Int16Array(CHUNK);
    this.used = 0;
    this.ended = false;
    this.port.onmessage = () => {
      this.ended = true;
      this.flush();
      this.port.postMessage("end");
    };
  }

  flush() {
    if (this.used) this.port.postMessage(this.samples.slice(0, this.used));
    this.used = 0;
  }

  process([input]) {
    if (this.ended) return false;
    const frames = input[0]?.length ?? 0;
    for (let index = 0; index < frames; index += 1) {
      let sum = 0;
      for (const channel of input) sum += channel[index];
      const value = Math.max(-1, Math.min(1, sum / input.length));
      this.samples[this.used] = Math.round(value * 32767);
      this.used += 1;
      if (this.used === CHUNK) this.flush();
    }
    return true;
  }
}

registerProcessor("lobby-recorder", Recorder);
