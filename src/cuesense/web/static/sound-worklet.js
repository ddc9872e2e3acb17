// Hands the microphone's samples to the page in blocks of about 20 ms, counted from the start.

const BLOCK_S = 0.02, QUANTUM = 128;

class Blocks extends AudioWorkletProcessor {
  constructor() {
    super();
    this.size = Math.max(1, Math.round((BLOCK_S * sampleRate) / QUANTUM)) * QUANTUM;
    this.filled = 0;
    this.channels = 0;
    this.block = null;
  }

  process([input]) {
    if (!input.length) return true; // no microphone is connected just now
    if (this.channels !== input.length) {
      this.channels = input.length;
      this.filled = 0;
    }
    if (!this.filled) {
      this.block = new Float32Array(this.size * this.channels);
      this.first = currentFrame;
    } else if (this.first + this.filled !== currentFrame) {
      this.filled = 0; // samples were lost in between: what was begun has a hole
      return this.process([input]);
    }
    const length = input[0].length;
    input.forEach((samples, channel) => {
      for (let i = 0; i < length; i++) this.block[(this.filled + i) * this.channels + channel] = samples[i];
    });
    this.filled += length;
    if (this.filled >= this.size) {
      this.filled = 0;
      const { first, channels, block } = this;
      this.port.postMessage({ first, channels, block }, [block.buffer]);
    }
    return true;
  }
}

registerProcessor("cuesense-blocks", Blocks);
