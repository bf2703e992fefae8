// Plays a recording, or a stretch of it, from its samples: no file, no address, nothing that a policy must allow.

export interface Player {
  /** Play from one second to another; what played before stops. */
  play(from: number, to: number): void;
  stop(): void;
  /** Seconds, while it plays; undefined where it does not. */
  now(): number | undefined;
  close(): void;
}

/** Of buffers, by every browser. */
const LOWEST_RATE = 8000;

export function makePlayer(samples: Int16Array, rate: number, onEnd: (at: number) => void): Player {
  let context: AudioContext | undefined;
  let buffer: AudioBuffer | undefined;
  let playing: { source: AudioBufferSourceNode; begun: number; from: number; to: number } | undefined;

  const open = (): AudioContext => {
    if (context && buffer) return context;
    context = new AudioContext();
    buffer = bufferOf(context, samples, rate);
    return context;
  };
  const halt = () => {
    if (!playing) return;
    playing.source.onended = null;
    playing.source.stop();
    playing = undefined;
  };
  const now = () => playing && Math.min(playing.from + Math.max(context!.currentTime - playing.begun, 0), playing.to);
  return {
    play(from, to) {
      halt();
      const opened = open();
      void opened.resume();
      const source = opened.createBufferSource();
      source.buffer = buffer!;
      source.connect(opened.destination);
      source.onended = () => {
        playing = undefined;
        onEnd(to);
      };
      playing = { source, begun: opened.currentTime, from, to };
      source.start(0, from, to - from);
    },
    stop() {
      halt();
    },
    now,
    close() {
      halt();
      void context?.close();
      context = buffer = undefined;
    },
  };
}

function bufferOf(context: AudioContext, samples: Int16Array, rate: number): AudioBuffer {
  // A lower rate than browsers know: each sample several times.
  const times = Math.ceil(LOWEST_RATE / rate);
  const made = context.createBuffer(1, samples.length * times, rate * times);
  const channel = made.getChannelData(0);
  for (let i = 0; i < channel.length; i++) channel[i] = samples[Math.floor(i / times)]! / 32768;
  return made;
}
