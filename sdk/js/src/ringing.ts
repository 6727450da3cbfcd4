/** The sound of a phone that rings, made by the page: nothing is loaded. A browser plays it once somebody has used the page. */

const PITCHES = [440, 480]; // Hz
const LOUDNESS = 0.04; // of 1, for each
const ON = 1; // s
const EVERY = 3_000; // ms

export class Ringing {
  #context: AudioContext | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;

  start(): void {
    if (this.#timer !== undefined || typeof AudioContext === 'undefined') return;
    this.#context = new AudioContext();
    this.#burst();
    this.#timer = setInterval(() => this.#burst(), EVERY);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    void this.#context?.close();
    this.#context = null;
  }

  #burst(): void {
    const context = this.#context;
    if (context === null || context.state !== 'running') return;
    for (const frequency of PITCHES) {
      const tone = new OscillatorNode(context, { frequency });
      tone.connect(new GainNode(context, { gain: LOUDNESS })).connect(context.destination);
      tone.start();
      tone.stop(context.currentTime + ON);
    }
  }
}
