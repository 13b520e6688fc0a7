import { EINVAL, ENOSPC } from '../../base/index.js';
import { isAlnum, isPrint, isPunct, isSpace } from './characters.js';

// The kernel's printf for programs: what bpf_bprintf_prepare (kernel/bpf/helpers.c, 6.18) accepts, and what bstr_printf
// (lib/vsprintf.c, 6.18) makes of it.
//
//     %[0 +-]*[width] d i u x X, each with l or ll too · c · s · p px pK ps pS pB · pks pus · pI4 pi4 pI6 pi6

/** Size of a log line with its NUL (MAX_BPRINTF_BUF). */
const MAX_LINE_BYTES = 1024;
/** Room for all arguments of one line (MAX_BPRINTF_BIN_ARGS). */
const MAX_ARGUMENT_BYTES = 512;
/** Largest width that vsnprintf keeps (FIELD_WIDTH_MAX). */
const FIELD_WIDTH_MAX = 2 ** 23 - 1;
const POINTER_DIGITS = 16;

/** A conversion or a piece of literal text. */
interface Piece {
  /** `text`, one of the letters d u x X c s, `p` for a plain pointer, or the name of a pointer format such as `pI4`. */
  readonly kind: string;
  /** Index in the format where the piece begins and ends (literal text). */
  readonly start: number;
  readonly end: number;
  readonly flags: string;
  readonly width: number | undefined;
  /** The argument has 64 bits. */
  readonly isLong: boolean;
  readonly argument: number;
}

/** Where the values come from. */
export interface BprintfArguments {
  readonly count: number;
  /** Argument `index` as u64. */
  u64(index: number): bigint;
  /** Bytes at the address in argument `index`: `sizeBytes` or, at the end of what the program may read, fewer; 0 when it may read none. */
  read(index: number, sizeBytes: number): Uint8Array;
}

/** Length of the text (which may be more than is there) or a negated errno, and the text. */
export interface BprintfResult {
  readonly returned: number;
  readonly text: Buffer;
}

/** A line of the kernel's log: as `bprintfBytes`, up to its first NUL. */
export function bprintf(format: Uint8Array, args: BprintfArguments): { readonly returned: number; readonly line: string } {
  const { returned, text } = bprintfBytes(format, args, MAX_LINE_BYTES);
  const end = text.indexOf(0);
  return { returned, line: (end < 0 ? text : text.subarray(0, end)).toString('utf8') };
}

/**
 * In one thing this is not what bstr_printf of 6.18 does: once its output is full it leaves out IP addresses, %pB, %pks and %pus but not their text
 * among the values, takes that for the values behind them, and so counts wrong. Here everything is counted.
 *
 * @param format the format string without its NUL
 * @param roomBytes of the output with a NUL behind it; what has no room is counted but lost
 */
export function bprintfBytes(format: Uint8Array, args: BprintfArguments, roomBytes: number): BprintfResult {
  const pieces = parse(format, args.count);
  if (pieces === undefined) return { returned: -EINVAL, text: Buffer.alloc(0) };
  const room = new ArgumentRoom();
  const output: Buffer[] = [];
  let returned = 0;
  for (const piece of pieces) {
    const body = render(piece, format, args, room, roomBytes);
    if (body === undefined) return { returned: -ENOSPC, text: Buffer.alloc(0) };
    const padding = Math.max(0, (isPadded(piece.kind) ? (piece.width ?? 0) : 0) - body.length);
    // Zeros that are missing in a number lie behind the end of the room.
    const lacksZeros = 'duxXp'.includes(piece.kind) && isZeroPadded(piece) && body.length >= roomBytes;
    const spaces = Buffer.alloc(lacksZeros ? 0 : Math.min(padding, roomBytes), ' ');
    output.push(...(piece.flags.includes('-') ? [body, spaces] : [spaces, body]));
    returned += padding + body.length;
  }
  return { returned, text: Buffer.concat(output).subarray(0, Math.max(0, roomBytes - 1)) };
}

/** Splits a format; `undefined` for what the kernel refuses with EINVAL. */
function parse(format: Uint8Array, argumentCount: number): Piece[] | undefined {
  const pieces: Piece[] = [];
  let textStart = 0;
  let used = 0;
  const addText = (end: number): void => {
    if (end > textStart) pieces.push({ kind: 'text', start: textStart, end, flags: '', width: undefined, isLong: false, argument: 0 });
  };
  for (let i = 0; i < format.length; i++) {
    const char = format[i];
    if (char < 0x80 && !isPrint(char) && !isSpace(char)) return undefined;
    if (char !== 0x25) continue;
    addText(i);
    if (format[i + 1] === 0x25) {
      textStart = ++i;
      continue;
    }
    const conversion = used < argumentCount ? parseConversion(format, i + 1) : undefined;
    if (conversion === undefined) return undefined;
    pieces.push({ ...conversion, start: i, argument: used++ });
    textStart = conversion.end;
    i = conversion.end - 1;
  }
  addText(format.length);
  return pieces;
}

/** One conversion, from behind its `%`. */
function parseConversion(format: Uint8Array, from: number): Omit<Piece, 'start' | 'argument'> | undefined {
  const charAt = (at: number): string => (at < format.length ? String.fromCharCode(format[at]) : '');
  let at = from;
  while ('0+- '.includes(charAt(at)) && at < format.length) at++;
  const flags = Buffer.from(format.subarray(from, at)).toString('latin1');
  const widthStart = at;
  while (/[0-9]/.test(charAt(at))) at++;
  const width = at === widthStart ? undefined : parseWidth(Buffer.from(format.subarray(widthStart, at)).toString('latin1'));
  const letter = charAt(at);

  if (letter === 'p') return parsePointer(format, at, flags, width);
  if (letter === 's') return endsWord(format, at + 1) ? { kind: 's', end: at + 1, flags, width, isLong: true } : undefined;
  if (letter === 'c') return { kind: 'c', end: at + 1, flags, width, isLong: false };
  let isLong = false;
  for (let count = 0; count < 2 && charAt(at) === 'l'; count++) {
    isLong = true;
    at++;
  }
  const kind = charAt(at) === 'i' ? 'd' : charAt(at);
  return kind !== '' && 'duxX'.includes(kind) ? { kind, end: at + 1, flags, width, isLong } : undefined;
}

/** A conversion that begins with `p`; letters and digits behind it belong to it and are not printed. */
function parsePointer(format: Uint8Array, at: number, flags: string, width: number | undefined): Omit<Piece, 'start' | 'argument'> | undefined {
  const word = Buffer.from(format.subarray(at, at + 3)).toString('latin1');
  let kind: string;
  if (endsWord(format, at + 1)) kind = 'p';
  else if (/^p[ku]s/.test(word)) {
    if (!endsWord(format, at + 3)) return undefined;
    kind = word;
  } else if (/^p[KxsSB]/.test(word)) kind = word.slice(0, 2);
  else if (/^p[iI][46]/.test(word)) kind = word;
  else return undefined;
  let end = at + kind.length;
  while (end < format.length && isAlnum(format[end])) end++;
  return { kind, end, flags, width, isLong: true };
}

/** skip_atoi and set_field_width: 32-bit wrap, then clamped; a negative width pads nothing. */
function parseWidth(digits: string): number {
  const wrapped = Number(BigInt.asIntN(32, BigInt(digits)));
  return Math.max(-FIELD_WIDTH_MAX, Math.min(FIELD_WIDTH_MAX, wrapped));
}

/** The width counts for these; what the kernel formats before the line (strings behind pointers, IP addresses, pB) ignores it. */
function isPadded(kind: string): boolean {
  return kind.length === 1 || kind === 'px' || kind === 'pK' || kind === 'ps' || kind === 'pS';
}

/** Text of a piece before padding with spaces; `undefined` when the arguments have no room. */
function render(piece: Piece, format: Uint8Array, args: BprintfArguments, room: ArgumentRoom, roomBytes: number): Buffer | undefined {
  const { kind, argument } = piece;
  switch (kind) {
    case 'text':
      return Buffer.from(format.subarray(piece.start, piece.end));
    case 's':
    case 'pks':
      return room.takeString((sizeBytes) => args.read(argument, sizeBytes));
    case 'pus':
      // There is no user memory here.
      return room.takeString(() => new Uint8Array(0));
    case 'c':
      return room.take(1, 1) ? Buffer.of(Number(args.u64(argument) & 0xffn)) : undefined;
    case 'pI4':
    case 'pi4':
    case 'pI6':
    case 'pi6':
      return room.takeText(formatIp(piece, args), kind.endsWith('4') ? 4 : 16);
    case 'pB':
      return room.takeText(`0x${args.u64(argument).toString(16)}`, 1);
    case 'p':
    case 'px':
    case 'pK':
    case 'ps':
    case 'pS':
      return room.take(8, 4) ? Buffer.from(formatPointer(piece, args.u64(argument), roomBytes)) : undefined;
    default:
      return room.take(piece.isLong ? 8 : 4, 4) ? Buffer.from(formatNumber(piece, args.u64(argument), roomBytes)) : undefined;
  }
}

/** An IP address in one of its formats; one that can't be read whole shows zeros (copy_from_kernel_nofault). */
function formatIp({ kind, argument }: Piece, args: BprintfArguments): string {
  const bytes = new Uint8Array(kind.endsWith('4') ? 4 : 16);
  const found = args.read(argument, bytes.length);
  if (found.length === bytes.length) bytes.set(found);
  if (kind === 'pI4') return bytes.join('.');
  if (kind === 'pi4') return [...bytes].map((byte) => String(byte).padStart(3, '0')).join('.');
  const groups = (Buffer.from(bytes).toString('hex').match(/..../g) ?? []) as string[];
  return groups.join(kind === 'pI6' ? ':' : '');
}

/** The kernel hashes what %p and %pK print; here they show the address, so that every run prints the same. */
function formatPointer(piece: Piece, value: bigint, roomBytes: number): string {
  // No address here is one of a kernel symbol.
  if (piece.kind === 'ps' || piece.kind === 'pS') return `0x${value.toString(16)}`;
  const digits = value.toString(16);
  if (piece.width === undefined) return digits.padStart(POINTER_DIGITS, '0');
  return isZeroPadded(piece) ? zeros(piece.width - digits.length, roomBytes) + digits : digits;
}

function formatNumber(piece: Piece, u64: bigint, roomBytes: number): string {
  const bits = piece.isLong ? 64 : 32;
  const isSigned = piece.kind === 'd';
  const value = isSigned ? BigInt.asIntN(bits, u64) : BigInt.asUintN(bits, u64);
  const magnitude = value < 0n ? -value : value;
  let digits = magnitude.toString(isSigned || piece.kind === 'u' ? 10 : 16);
  if (piece.kind === 'X') digits = digits.toUpperCase();
  let sign = '';
  if (value < 0n) sign = '-';
  else if (isSigned && piece.flags.includes('+')) sign = '+';
  else if (isSigned && piece.flags.includes(' ')) sign = ' ';
  return isZeroPadded(piece) ? sign + zeros((piece.width ?? 0) - sign.length - digits.length, roomBytes) + digits : sign + digits;
}

function isZeroPadded({ flags }: Piece): boolean {
  return flags.includes('0') && !flags.includes('-');
}

/** Zeros before a number, as many as there can be room for: a width may be in the millions. */
function zeros(count: number, roomBytes: number): string {
  return '0'.repeat(Math.min(Math.max(0, count), roomBytes));
}

/** Room for the arguments of one line, which the kernel keeps in binary form first. */
class ArgumentRoom {
  #used = 0;

  /** Room for a number; false when there is none. */
  take(sizeBytes: number, alignBytes: number): boolean {
    const start = Math.ceil(this.#used / alignBytes) * alignBytes;
    if (start + sizeBytes > MAX_ARGUMENT_BYTES) return false;
    this.#used = start + sizeBytes;
    return true;
  }

  /** A string up to its NUL, cut where the room ends. */
  takeString(read: (sizeBytes: number) => Uint8Array): Buffer | undefined {
    const left = MAX_ARGUMENT_BYTES - this.#used;
    if (left <= 0) return undefined;
    const bytes = read(left - 1);
    const nul = bytes.indexOf(0);
    const text = Buffer.from(nul < 0 ? bytes : bytes.subarray(0, nul));
    this.#used += text.length + 1;
    return text;
  }

  /** Text that is formatted in advance; only `leastBytes` of room are asked for. */
  takeText(text: string, leastBytes: number): Buffer | undefined {
    if (MAX_ARGUMENT_BYTES - this.#used < leastBytes) return undefined;
    this.#used += text.length + 1;
    return Buffer.from(text);
  }
}

/** The format ends here, or goes on with space or punctuation. */
function endsWord(format: Uint8Array, at: number): boolean {
  return at >= format.length || isSpace(format[at]) || isPunct(format[at]);
}
