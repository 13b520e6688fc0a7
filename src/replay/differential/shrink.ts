import type { TestRunInput } from '../../xdp/index.js';
import { AS_LOADED } from './startState.js';
import type { StartState } from './startState.js';

/** Each attempt loads the program anew on both sides. */
const MAX_ATTEMPTS = 200;
const ETH_HLEN = 14;

export interface Shrunk {
  readonly state: StartState;
  readonly input: TestRunInput;
}

/**
 * Takes away from a case what it doesn't need to show its difference: oddities of its context, the tail of the packet, bytes that needn't
 * be set, entries of maps, variables.
 *
 * @param shows whether a smaller case still shows the difference
 */
export function shrink(state: StartState, input: TestRunInput, shows: (state: StartState, input: TestRunInput) => boolean): Shrunk {
  const shrinker = new Shrinker(state, input, shows);
  shrinker.simplifyContext();
  shrinker.dropTail();
  shrinker.simplifyState();
  shrinker.zeroBytes();
  return { state: shrinker.state, input: shrinker.input };
}

class Shrinker {
  state: StartState;
  input: TestRunInput;
  readonly #shows: (state: StartState, input: TestRunInput) => boolean;
  #attemptsLeft = MAX_ATTEMPTS;

  constructor(state: StartState, input: TestRunInput, shows: (state: StartState, input: TestRunInput) => boolean) {
    this.state = state;
    this.input = input;
    this.#shows = shows;
  }

  /** Repetitions, room, device, bounds, metadata: each back to what is usual. */
  simplifyContext(): void {
    const { repeat: _repeat, ...once } = this.input;
    this.#tryInput(once);
    const { dataSizeOut: _room, ...roomy } = this.input;
    this.#tryInput(roomy);
    const { ingressIfindex: _ifindex, rxQueueIndex: _queue, ...anywhere } = this.input;
    this.#tryInput(anywhere);
    const { dataEnd: _end, ...linear } = this.input;
    this.#tryInput(linear);
    const { data, metaBytes = 0, dataEnd, ...rest } = this.input;
    if (metaBytes > 0) this.#tryInput({ ...rest, data: data.subarray(metaBytes), ...(dataEnd === undefined ? {} : { dataEnd: Math.max(0, dataEnd - metaBytes) }) });
  }

  dropTail(): void {
    for (let stepBytes = this.input.data.length >>> 1; stepBytes >= 1; stepBytes >>>= 1) {
      for (;;) {
        const { data, dataEnd } = this.input;
        const length = data.length - stepBytes;
        if (length < ETH_HLEN) break;
        if (!this.#tryInput({ ...this.input, data: data.subarray(0, length), ...(dataEnd === undefined ? {} : { dataEnd: Math.min(dataEnd, length) }) })) break;
      }
    }
  }

  simplifyState(): void {
    this.#tryState(AS_LOADED);
    for (const name of Object.keys(this.state.globals)) {
      const { [name]: _gone, ...globals } = this.state.globals;
      this.#tryState({ ...this.state, globals });
    }
    for (const name of Object.keys(this.state.maps)) this.#simplifyMap(name);
  }

  #simplifyMap(name: string): void {
    const { [name]: _gone, ...others } = this.state.maps;
    if (this.#tryState({ ...this.state, maps: others })) return;
    for (let step = this.state.maps[name].length >>> 1; step >= 1; step >>>= 1) {
      for (let at = 0; at < this.state.maps[name].length;) {
        const entries = this.state.maps[name].toSpliced(at, step);
        if (!this.#tryState({ ...this.state, maps: { ...this.state.maps, [name]: entries } })) at += step;
      }
    }
  }

  zeroBytes(): void {
    for (let stepBytes = 64; stepBytes >= 1; stepBytes >>>= 2) {
      for (let at = 0; at < this.input.data.length; at += stepBytes) {
        const end = Math.min(at + stepBytes, this.input.data.length);
        if (this.input.data.subarray(at, end).every((byte) => byte === 0)) continue;
        this.#tryInput({ ...this.input, data: this.input.data.slice().fill(0, at, end) });
      }
    }
  }

  #tryInput(input: TestRunInput): boolean {
    if (!this.#mayTry(this.state, input)) return false;
    this.input = input;
    return true;
  }

  #tryState(state: StartState): boolean {
    if (!this.#mayTry(state, this.input)) return false;
    this.state = state;
    return true;
  }

  #mayTry(state: StartState, input: TestRunInput): boolean {
    return this.#attemptsLeft-- > 0 && this.#shows(state, input);
  }
}
