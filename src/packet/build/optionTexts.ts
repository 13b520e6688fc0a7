import { u16, u32 } from '../header.js';

/** What an option says, given its data; `undefined` when the data hasn't got the option's length. */
type OptionText = (data: Uint8Array) => string | undefined;

/** How the options of a header are written down. */
interface OptionKind {
  /** Types that are one byte without length and data. */
  readonly single: ReadonlyMap<number, string>;
  /** The length octet counts type and length too. */
  readonly countsHead: boolean;
  readonly texts: ReadonlyMap<number, OptionText>;
}

const sized = (lengthBytes: number, text: (data: Uint8Array) => string): OptionText => (data) => (data.length === lengthBytes ? text(data) : undefined);

const IPV4: OptionKind = {
  single: new Map([[0, 'end'], [1, 'nop']]),
  countsHead: true,
  texts: new Map([
    [7, (data) => (data.length % 4 === 1 ? `record route for ${(data.length - 1) / 4}` : undefined)],
    [148, sized(2, (data) => `router alert ${u16(data, 0)}`)],
  ]),
};

const TCP: OptionKind = {
  single: new Map([[0, 'end'], [1, 'nop']]),
  countsHead: true,
  texts: new Map<number, OptionText>([
    [2, sized(2, (data) => `mss ${u16(data, 0)}`)],
    [3, sized(1, (data) => `window scale ${data[0]}`)],
    [4, sized(0, () => 'sack permitted')],
    [5, (data) => (data.length % 8 === 0 ? `sack${Array.from({ length: data.length / 8 }, (_, i) => ` ${u32(data, 8 * i)}-${u32(data, 8 * i + 4)}`).join('')}` : undefined)],
    [8, sized(8, (data) => `timestamps ${u32(data, 0)} ${u32(data, 4)}`)],
  ]),
};

const IPV6: OptionKind = {
  single: new Map([[0, 'pad1']]),
  countsHead: false,
  texts: new Map<number, OptionText>([
    [1, (data) => `padN ${data.length + 2}`],
    [5, sized(2, (data) => `router alert ${u16(data, 0)}`)],
    [0xc2, sized(4, (data) => `jumbo payload ${u32(data, 0)}`)],
  ]),
};

export const ipv4OptionTexts = (bytes: Uint8Array): string => describeOptions(IPV4, bytes);
export const tcpOptionTexts = (bytes: Uint8Array): string => describeOptions(TCP, bytes);
export const ipv6OptionTexts = (bytes: Uint8Array): string => describeOptions(IPV6, bytes);

/** Options in words, `mss 1460, nop, window scale 7`; the list ends with `cut` at one whose length can't be. */
function describeOptions({ single, countsHead, texts }: OptionKind, bytes: Uint8Array): string {
  const found: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const type = bytes[at]!;
    const alone = single.get(type);
    if (alone !== undefined) {
      found.push(alone);
      at++;
      // What is behind the end of the list is padding.
      if (alone === 'end') break;
      continue;
    }
    const dataBytes = (bytes[at + 1] ?? -1) - (countsHead ? 2 : 0);
    if (dataBytes < 0 || at + 2 + dataBytes > bytes.length) {
      found.push('cut');
      break;
    }
    found.push(texts.get(type)?.(bytes.subarray(at + 2, at + 2 + dataBytes)) ?? `option ${type}`);
    at += 2 + dataBytes;
  }
  return found.join(', ');
}

/** The same for GENEVE, whose options have a class: `option 0x0102/3`. */
export function geneveOptionTexts(bytes: Uint8Array): string {
  const found: string[] = [];
  for (let at = 0; at < bytes.length; at += 4 + (bytes[at + 3]! & 0x1f) * 4) {
    if (at + 4 + (bytes[at + 3]! & 0x1f) * 4 > bytes.length) return [...found, 'cut'].join(', ');
    found.push(`option 0x${u16(bytes, at).toString(16).padStart(4, '0')}/${bytes[at + 2]}`);
  }
  return found.join(', ');
}
