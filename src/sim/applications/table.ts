import { XSK_TX_METADATA_BYTES } from '../../umem/index.js';
import type { XskApplicationFactory } from './application.js';
import { echo } from './echo.js';
import { l2fwd } from './l2fwd.js';
import { rxdrop } from './rxdrop.js';
import { txonly, TXONLY_MIN_BYTES } from './txonly.js';

/** An option of an application, written `NAME=VALUE`: a number, or one of some words. */
export type XskApplicationOption = { readonly name: string; readonly text: string } & (
  | { readonly default: number; readonly min: number; readonly max: number }
  | { readonly default: string; readonly choices: readonly string[] }
);

/** What `XskApplicationKind.create` is given: a value for each option. */
export interface XskApplicationValues {
  number(name: string): number;
  word(name: string): string;
}

/** An application by its name. */
export interface XskApplicationKind {
  /** For `--help` and docs/af-xdp.md. */
  readonly text: string;
  readonly options: readonly XskApplicationOption[];
  create(values: XskApplicationValues): XskApplicationFactory;
  /** Bytes of metadata that its packets have before them, with these options. */
  txMetadataBytes?(values: XskApplicationValues): number;
}

/** Longest packet of txonly: a jumbo frame. */
const MAX_SIZE_BYTES = 9216;

/** The applications of `--xsk`. A new one is a file beside this and a row here. */
export const XSK_APPLICATIONS: Readonly<Record<string, XskApplicationKind>> = {
  rxdrop: { text: 'receives and drops', options: [], create: () => rxdrop },
  txonly: {
    text: 'sends numbered UDP packets',
    options: [
      { name: 'count', text: 'packets of each socket', default: 1000, min: 0, max: 2 ** 32 - 1 },
      { name: 'size', text: 'bytes of a packet', default: 64, min: TXONLY_MIN_BYTES, max: MAX_SIZE_BYTES },
      { name: 'rate', text: 'packets of each socket in a second; 0: as fast as they go', default: 0, min: 0, max: 1e9 },
      { name: 'metadata', text: 'what the metadata before each packet asks the device for', default: 'none', choices: ['none', 'checksum', 'timestamp', 'both'] },
      { name: 'launch', text: 'microseconds from when a packet is due, by its rate, to the launch time that it asks for; 0: none', default: 0, min: 0, max: 2e6 },
    ],
    create: (values) =>
      txonly({
        count: values.number('count'), sizeBytes: values.number('size'), ratePps: values.number('rate'),
        wantsChecksum: ['checksum', 'both'].includes(values.word('metadata')), wantsTimestamp: ['timestamp', 'both'].includes(values.word('metadata')),
        launchDelayNs: values.number('launch') === 0 ? undefined : values.number('launch') * 1000,
      }),
    txMetadataBytes: (values) => (values.word('metadata') === 'none' && values.number('launch') === 0 ? 0 : XSK_TX_METADATA_BYTES),
  },
  l2fwd: { text: 'sends back with the MAC addresses swapped', options: [], create: () => l2fwd },
  echo: { text: 'answers UDP and ping as a host would', options: [], create: () => echo },
};
