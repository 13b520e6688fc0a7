import { FUNCTIONS } from './statements.js';
import type { Access, Alu, Bound, Comparison, FuzzProgram, Loop, Operand, Rotation, Statement } from './statements.js';

// Registers: r6 the context; r0, r4, r5, r7, r8, r9 numbers; r1, r2, r3 belong to one statement.
//
// Stack:    -64 ... -1  eight words that statements read and write
//           -72, -80    counters of the loops, outermost first
//           -84         key of a map
//           -96         an address in the packet
//          -120 ...     numbers while the results are written out

const KEY = -84;
const SPILLED = -96;
const STACK_BYTES = 64;
/** What `Bound` leaves at most. */
const BOUND_MAX = 31;
/** Bytes of a value of either map. */
export const VALUE_BYTES = 48;
/** Values that the program leaves: its registers and the words of its stack. */
export const RESULT_BYTES = 14 * 8;

const HELPERS = { lookup: 1, update: 2, delete: 3, adjustHead: 44, adjustTail: 65 } as const;

/** The text (assemble.ts) of a program: `main`, then its functions. It uses the maps `array`, `hash` (keys of 4 bytes) and `results`. */
export function emitProgram({ main, functions }: FuzzProgram): string {
  return new Emitter().program(main, functions);
}

class Emitter {
  readonly #lines: string[] = [];
  #labels = 0;
  #loops = 0;
  /** Functions that may be called from here: those behind the present one, so that none calls itself. */
  #firstCallee = 0;

  program(main: readonly Statement[], functions: readonly (readonly Statement[])[]): string {
    this.#prologue();
    this.#body(main);
    this.#results();
    const isReached = functions.map((_, index) => this.#isCalled(index));
    functions.forEach((body, index) => {
      if (!isReached[index] && !this.#isCalled(index)) return;
      this.#firstCallee = index + 1;
      this.#lines.push(`f${index}:`);
      this.#put('r6 = r1', 'r7 = r2', 'r8 = r3', 'r9 = r2', 'r9 ^= r3', 'r0 = r7', 'r4 = r8', 'r5 = 5');
      this.#fillStack();
      this.#body(body);
      this.#put('r0 += r7', 'r0 ^= r9', 'exit');
    });
    if (this.#lines.includes('call lent')) this.#put('lent:', 'r0 = *(u64 *)(r1 +0)', 'r0 += r2', '*(u64 *)(r1 +0) = r0', 'exit');
    return this.#lines.join('\n');
  }

  #isCalled(index: number): boolean {
    return this.#lines.includes(`call f${index}`);
  }

  #put(...lines: readonly string[]): void {
    this.#lines.push(...lines);
  }

  #label(): string {
    return `l${this.#labels++}`;
  }

  #body(statements: readonly Statement[]): void {
    for (const statement of statements) this.#statement(statement);
  }

  /** Numbers out of the packet, which no compiler and no verifier knows. */
  #prologue(): void {
    const short = this.#label();
    this.#put('r6 = r1', 'r7 = 7', 'r8 = -8', 'r9 = 9', 'r0 = 0', 'r4 = 4', 'r5 = -5');
    this.#put('r2 = *(u32 *)(r6 +4)', 'r1 = *(u32 *)(r6 +0)', 'r3 = r1', 'r3 += 48', `if r3 > r2 goto ${short}`);
    [7, 8, 9, 0, 4, 5].forEach((register, index) => this.#put(`r${register} = *(u64 *)(r1 +${index * 8})`));
    this.#put(`${short}:`);
    this.#fillStack();
  }

  #fillStack(): void {
    for (let word = 0; word < 8; word++) this.#put(`*(u64 *)(r10 -${8 + word * 8}) = r${[7, 8, 9, 4][word % 4]!}`);
  }

  /** Everything that the program has worked out goes into a map; r0 ends as a number that no pointer has been in. */
  #results(): void {
    const none = this.#label();
    this.#put('*(u64 *)(r10 -104) = r0', '*(u64 *)(r10 -112) = r4', '*(u64 *)(r10 -120) = r5');
    this.#key({ imm: 0 });
    this.#put('r1 = map results', `call #${HELPERS.lookup}`, `if r0 == 0 goto ${none}`);
    [7, 8, 9].forEach((register, index) => this.#put(`*(u64 *)(r0 +${index * 8}) = r${register}`));
    const words = [-104, -112, -120, ...Array.from({ length: 8 }, (_, word) => -8 - word * 8)];
    words.forEach((offset, index) => this.#put(`r1 = *(u64 *)(r10 ${offset})`, `*(u64 *)(r0 +${24 + index * 8}) = r1`));
    this.#put(`${none}:`, 'r0 = r7', 'exit');
  }

  #statement(statement: Statement): void {
    switch (statement.kind) {
      case 'alu':
        this.#alu(statement);
        return;
      case 'wide':
        this.#put(`r${statement.dst} = ${statement.value} ll`);
        return;
      case 'rotation':
        this.#rotation(statement);
        return;
      case 'stack':
        this.#stack(statement.access, statement.bound);
        return;
      case 'if':
        this.#if(statement);
        return;
      case 'loop':
        this.#loop(statement);
        return;
      case 'packet':
        this.#packet(statement);
        return;
      case 'spilled':
        this.#spilled(statement);
        return;
      case 'walk':
        this.#walk(statement);
        return;
      case 'lookup':
        this.#lookup(statement);
        return;
      case 'change':
        this.#change(statement);
        return;
      case 'call':
        this.#call(statement);
        return;
      case 'lend':
        this.#put('r1 = r10', `r1 += ${-STACK_BYTES + (statement.offset % 8) * 8}`, `r2 = r${statement.value}`, 'call lent');
        this.#afterCall();
        return;
      case 'move':
        this.#put('r1 = r6', `r2 = ${statement.by}`, `call #${statement.end === 'head' ? HELPERS.adjustHead : HELPERS.adjustTail}`);
        this.#afterCall();
        return;
      case 'reach':
        this.#reach(statement);
    }
  }

  // ── numbers ──

  #alu({ operation, isWide, dst, operand }: Alu): void {
    const r = isWide ? 'r' : 'w';
    if (operation === 'neg') this.#put(`${r}${dst} = -${r}${dst}`);
    else if (/^s\d+$/.test(operation)) this.#put(`${operation === 's32' ? 'r' : r}${dst} = (${operation})${operation === 's32' ? 'r' : r}${registerOf(operand)}`);
    else if (/^[a-z]{2,}\d+$/.test(operation)) this.#put(`r${dst} = ${operation} r${dst}`);
    else this.#put(`${r}${dst} ${operation === '=' ? '=' : `${operation}=`} ${'register' in operand ? `${r}${operand.register}` : fitImm(operation, isWide, operand.imm)}`);
  }

  #rotation({ isWide, source, dst, bits, error, isLeftFirst, isInPlace, operation, between }: Rotation): void {
    const [r, width] = isWide ? ['r', 64] : ['w', 32];
    const left = bits % width;
    const right = (2 * width - left + error) % width;
    const [first, second] = isLeftFirst ? [`<<= ${left}`, `>>= ${right}`] : [`>>= ${right}`, `<<= ${left}`];
    this.#put(`${r}1 = ${r}${source}`, `${r}1 ${first}`);
    if (between !== undefined) this.#alu(between);
    if (isInPlace) this.#put(`${r}${source} ${second}`, `${r}1 ${operation}= ${r}${source}`);
    else this.#put(`${r}2 = ${r}${source}`, `${r}2 ${second}`, `${r}1 ${operation}= ${r}2`);
    this.#put(`${r}${dst} = ${r}1`);
  }

  #comparison({ operator, isWide, left, right }: Comparison, target: string): string {
    const r = isWide ? 'r' : 'w';
    return `if ${r}${left} ${operator} ${'register' in right ? `${r}${right.register}` : right.imm} goto ${target}`;
  }

  /** Leaves `register` in r3, between 0 and BOUND_MAX, or goes to `otherwise`. */
  #bound({ way, register }: Bound, otherwise: string): void {
    switch (way) {
      case 'mask':
        this.#put(`r3 = r${register}`, `r3 &= ${BOUND_MAX}`);
        return;
      case 'scaledMask':
        this.#put(`r3 = r${register}`, 'r3 &= 7', 'r3 <<= 2');
        return;
      case 'compare':
        this.#put(`r3 = r${register}`, `if r3 > ${BOUND_MAX} goto ${otherwise}`);
        return;
      case 'compare32':
        this.#put(`w3 = w${register}`, `if w3 > ${BOUND_MAX} goto ${otherwise}`);
        return;
      case 'signed':
        this.#put(`r3 = r${register}`, `if r3 s< 0 goto ${otherwise}`, `if r3 s>= ${BOUND_MAX + 1} goto ${otherwise}`);
        return;
      case 'shift':
        this.#put(`r3 = r${register}`, 'r3 >>= 59');
        return;
      case 'shift32':
        this.#put(`w3 = w${register}`, 'w3 >>= 27');
        return;
      case 'scaledCompare':
        this.#put(`r3 = r${register}`, 'r3 &= 255', 'r3 <<= 2', `if r3 > ${BOUND_MAX} goto ${otherwise}`);
    }
  }

  // ── control flow ──

  #if({ comparison, taken, otherwise }: Extract<Statement, { kind: 'if' }>): void {
    const [there, end] = [this.#label(), this.#label()];
    this.#put(this.#comparison(comparison, there));
    this.#body(otherwise);
    this.#put(`goto ${end}`, `${there}:`);
    this.#body(taken);
    this.#put(`${end}:`);
  }

  #loop({ times, first, second, enters, leaves }: Loop): void {
    const [start, middle, end] = [this.#label(), this.#label(), this.#label()];
    const counter = -72 - 8 * this.#loops++;
    this.#put(`*(u64 *)(r10 ${counter}) = ${times + 1}`);
    if (enters !== undefined) this.#put(this.#comparison(enters, middle));
    this.#put(`${start}:`);
    this.#body(first);
    this.#put(`${middle}:`);
    if (leaves !== undefined) this.#put(this.#comparison(leaves, end));
    this.#body(second);
    this.#put(`r1 = *(u64 *)(r10 ${counter})`, 'r1 += -1', `*(u64 *)(r10 ${counter}) = r1`, `if r1 != 0 goto ${start}`, `${end}:`);
    this.#loops--;
  }

  /** Only functions behind the present one may be called. */
  #call({ target, first, second }: Extract<Statement, { kind: 'call' }>): void {
    const callee = Math.max(target, this.#firstCallee);
    if (callee >= FUNCTIONS) return;
    this.#put(`r2 = r${first}`, `r3 = r${second}`, 'r1 = r6', `call f${callee}`);
    this.#afterCall();
  }

  /** A call leaves nothing in r1 to r5. */
  #afterCall(): void {
    this.#put('r4 = r7', 'r5 = r8');
  }

  // ── memory ──

  #stack(access: Access, bound: Bound | undefined): void {
    if (bound === undefined) {
      this.#access('r10', -STACK_BYTES, STACK_BYTES, access, true, true);
      return;
    }
    const end = this.#label();
    this.#bound({ ...bound, way: 'scaledMask' }, end);
    this.#put('r1 = r10', `r1 += ${-STACK_BYTES}`, 'r1 += r3');
    this.#access('r1', 0, STACK_BYTES - BOUND_MAX, { ...access, bytes: access.bytes === 8 ? 4 : access.bytes, what: access.what === 'atomic' ? 'store' : access.what }, true, false);
    this.#put(`${end}:`);
  }

  /** One access to the `room` bytes from `start` of what `base` points to. */
  #access(base: string, start: number, room: number, access: Access, isAligned: boolean, hasAtomics: boolean): void {
    const { what, register, imm, atomic } = access;
    const isOrdered = atomic === 'load_acquire' || atomic === 'store_release';
    const isAtomic = what === 'atomic' && hasAtomics;
    const bytes = isAtomic && !isOrdered ? (access.bytes === 8 ? 8 : 4) : what === 'signedLoad' ? Math.min(access.bytes, 4) : access.bytes;
    const step = isAligned || isAtomic ? bytes : 1;
    const offset = start + (access.offset % (Math.floor((room - bytes) / step) + 1)) * step;
    const at = `(${base} ${offset < 0 ? '' : '+'}${offset})`;
    const place = `*(u${bytes * 8} *)${at}`;
    const typed = `(u${bytes * 8} *)${at}`;
    const name = bytes === 8 ? 'atomic64' : 'atomic';
    if (what === 'load') this.#put(`r${register} = ${place}`);
    else if (what === 'signedLoad') this.#put(`r${register} = *(s${bytes * 8} *)${at}`);
    else if (what === 'storeImm') this.#put(`${place} = ${imm}`);
    else if (!isAtomic) this.#put(`${place} = r${register}`);
    else if (atomic === 'load_acquire') this.#put(`r${register} = load_acquire(${typed})`);
    else if (atomic === 'store_release') this.#put(`store_release(${typed}, r${register})`);
    else if (atomic === 'cmpxchg') this.#put(`r0 = ${name}_cmpxchg(${typed}, r0, r${register})`);
    else if (atomic.endsWith('=')) this.#put(`lock ${place} ${atomic} r${register}`);
    else this.#put(`r${register} = ${name}_${atomic}(${typed}, r${register})`);
  }

  /** r1 = data, r2 = data_end. */
  #bounds(): void {
    this.#put('r2 = *(u32 *)(r6 +4)', 'r1 = *(u32 *)(r6 +0)');
  }

  /** Goes to `otherwise` unless `bytes` from r1 lie in the packet. */
  #check(form: number, bytes: number, otherwise: string): void {
    this.#put('r3 = r1', `r3 += ${bytes}`);
    const outside = ['r3 > r2', 'r2 < r3', 'r3 >= r2', 'r2 <= r3'][form];
    if (outside !== undefined) {
      this.#put(`if ${outside} goto ${otherwise}`);
      return;
    }
    const inside = this.#label();
    this.#put(`if ${['r3 <= r2', 'r2 >= r3', 'r3 < r2', 'r2 > r3'][form - 4]!} goto ${inside}`, `goto ${otherwise}`, `${inside}:`);
  }

  #packet({ check, bytes, accesses, bound, step }: Extract<Statement, { kind: 'packet' }>): void {
    const end = this.#label();
    const room = 9 + (bytes % 64) + step;
    this.#bounds();
    if (bound !== undefined) {
      this.#bound(bound, end);
      this.#put('r1 += r3');
    }
    this.#check(check, room, end);
    if (step > 0) this.#put(`r1 += ${step}`);
    for (const access of accesses) this.#access('r1', 0, room - step, access, false, false);
    this.#put(`${end}:`);
  }

  #spilled({ check, bytes, between, access }: Extract<Statement, { kind: 'spilled' }>): void {
    const end = this.#label();
    const room = 9 + (bytes % 64);
    this.#bounds();
    this.#check(check, room, end);
    this.#put(`*(u64 *)(r10 ${SPILLED}) = r1`);
    this.#body(between);
    this.#put(`r1 = *(u64 *)(r10 ${SPILLED})`);
    this.#access('r1', 0, room, access, false, false);
    this.#put(`${end}:`);
  }

  /** A pointer that moves through the packet, compared with its end in each round. */
  #walk({ times, step, access }: Extract<Statement, { kind: 'walk' }>): void {
    const [start, end] = [this.#label(), this.#label()];
    this.#bounds();
    this.#put('r5 = 0', `${start}:`, 'r3 = r1', 'r3 += 8', `if r3 > r2 goto ${end}`);
    this.#access('r1', 0, 8, access.register === 5 ? { ...access, register: 4 } : access, false, false);
    this.#put(`r1 += ${step}`, 'r5 += 1', `if r5 < ${times + 1} goto ${start}`, `${end}:`);
  }

  /**
   * Reads at an offset that nothing bounds but the steps themselves: one byte after the other, so that the first that lies outside shows any number that the
   * offset can't be believed to be.
   */
  #reach({ base, register, maskBits, shift, numbers, rounds, pointerStep, steps, isUpwards }: Extract<Statement, { kind: 'reach' }>): void {
    const end = this.#label();
    if (base === 'packet') {
      this.#bounds();
      this.#check(0, VALUE_BYTES, end);
    } else if (base === 'stack') {
      this.#put('r1 = r10', `r1 += ${-VALUE_BYTES}`);
    } else {
      this.#key({ imm: 1 });
      this.#put('r1 = map array', `call #${HELPERS.lookup}`);
      this.#afterCall();
      this.#put(`if r0 == 0 goto ${end}`, 'r1 = r0', 'r0 = r7');
    }
    this.#put(...(register === undefined ? ['r3 = 1'] : [`r3 = r${register}`, `r3 &= ${2 ** maskBits - 1}`]), `r3 <<= ${shift}`);
    const [start, reads] = [this.#label(), this.#label()];
    if (rounds > 0) this.#put(`*(u64 *)(r10 -72) = ${rounds}`, `${start}:`);
    for (const { operation, isWide, number, isFlipped, isEarly } of steps) {
      const r = isWide ? 'r' : 'w';
      const value = numbers[number]!;
      if (operation.startsWith('if')) this.#put(`if ${r}3 ${operation.slice(3)} ${value} goto ${isEarly ? reads : end}`);
      else if (isFlipped) this.#put(`r2 = ${value}`, `${r}2 ${operation} ${r}3`, 'r3 = r2');
      else this.#put(`${r}3 ${operation} ${/<<=|>>=/.test(operation) ? value % (isWide ? 64 : 32) : Math.max(1, value)}`);
    }
    if (pointerStep !== 0) this.#put(`r1 += ${pointerStep}`);
    if (rounds > 0) this.#put('r2 = *(u64 *)(r10 -72)', 'r2 += -1', '*(u64 *)(r10 -72) = r2', `if r2 != 0 goto ${start}`);
    this.#put(`${reads}:`);
    if (!isUpwards) this.#put(`r1 += ${VALUE_BYTES - 1}`);
    this.#put(isUpwards ? 'r1 += r3' : 'r1 -= r3');
    for (let offset = 0; offset < VALUE_BYTES; offset++) this.#put(`r2 = *(u8 *)(r1 ${isUpwards ? '+' : '-'}${offset})`);
    this.#put('r0 ^= r2', `${end}:`);
  }

  #key(key: Operand): void {
    this.#put('imm' in key ? `*(u32 *)(r10 ${KEY}) = ${key.imm}` : `*(u32 *)(r10 ${KEY}) = r${key.register}`, 'r2 = r10', `r2 += ${KEY}`);
  }

  #lookup({ map, key, isCopyChecked, bound, accesses }: Extract<Statement, { kind: 'lookup' }>): void {
    const end = this.#label();
    if ('register' in key) this.#put(`r3 = r${key.register}`, 'r3 &= 7', `*(u32 *)(r10 ${KEY}) = r3`, 'r2 = r10', `r2 += ${KEY}`);
    else this.#key(key);
    this.#put(`r1 = map ${map}`, `call #${HELPERS.lookup}`);
    this.#afterCall();
    this.#put('r1 = r0', `if ${isCopyChecked ? 'r1' : 'r0'} == 0 goto ${end}`, 'r0 = r7');
    if (bound !== undefined) {
      this.#bound(bound, end);
      this.#put('r1 += r3');
    }
    for (const access of accesses) this.#access('r1', 0, bound === undefined ? VALUE_BYTES : VALUE_BYTES - BOUND_MAX, access, false, bound === undefined);
    this.#put(`${end}:`);
  }

  #change({ how, map, key, flags }: Extract<Statement, { kind: 'change' }>): void {
    if ('register' in key) this.#put(`r3 = r${key.register}`, 'r3 &= 7', `*(u32 *)(r10 ${KEY}) = r3`, 'r2 = r10', `r2 += ${KEY}`);
    else this.#key(key);
    if (how === 'update') this.#put('r3 = r10', `r3 += ${-STACK_BYTES}`, `r4 = ${flags}`);
    this.#put(`r1 = map ${map}`, `call #${HELPERS[how]}`);
    this.#afterCall();
  }
}

function registerOf(operand: Operand): number {
  return 'register' in operand ? operand.register : 7;
}

/** An immediate that the verifier takes for this operation. */
function fitImm(operation: string, isWide: boolean, imm: number): number {
  if (operation === '<<' || operation === '>>' || operation === 's>>') return (imm >>> 0) % (isWide ? 64 : 32);
  return imm === 0 && /^s?[/%]$/.test(operation) ? 1 : imm;
}
