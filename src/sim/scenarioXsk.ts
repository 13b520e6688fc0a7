import { JsonFields } from '../vm/index.js';
import { readXskApplication } from './applications/readApplication.js';
import type { XskSpec } from './createHost.js';
import { MAX_XSK_CHUNKS, XSK_BIND_MODES, XSK_DEFAULTS } from './xskSettings.js';
import type { XskRingSizes } from './xskSettings.js';

const XSK_FIELDS = ['application', 'mode', 'rings', 'frames', 'frame_size', 'headroom', 'unaligned', 'need_wakeup', 'sg', 'tx_metadata', 'sw_csum'];

/** An application by its name, and how its sockets are made. */
export interface NamedXsk {
  readonly name: string;
  readonly spec: XskSpec;
}

/** `"NAME:option=value"`, or an object with that as its `application` and settings of the sockets, which the kernel judges. */
export function xskOf(fields: JsonFields, code: string): NamedXsk {
  if (typeof fields.raw('xsk') === 'string') return applicationOf(fields, 'xsk');
  const xsk = new JsonFields(fields.raw('xsk'), fields.at('xsk'), XSK_FIELDS, code);
  const { name, spec } = applicationOf(xsk, 'application');
  return {
    name,
    spec: {
      ...spec,
      mode: xsk.choice('mode', XSK_BIND_MODES, XSK_DEFAULTS.mode),
      rings: xsk.has('rings') ? ringsOf(xsk, code) : XSK_DEFAULTS.rings,
      chunkCount: xsk.number('frames', XSK_DEFAULTS.chunkCount, MAX_XSK_CHUNKS, 1),
      chunkSizeBytes: xsk.number('frame_size', XSK_DEFAULTS.chunkSizeBytes),
      headroomBytes: xsk.number('headroom', XSK_DEFAULTS.headroomBytes),
      isUnaligned: xsk.boolean('unaligned', XSK_DEFAULTS.isUnaligned),
      usesNeedWakeup: xsk.boolean('need_wakeup', XSK_DEFAULTS.usesNeedWakeup),
      hasSg: xsk.boolean('sg', XSK_DEFAULTS.hasSg),
      txMetadataBytes: xsk.number('tx_metadata', spec.txMetadataBytes ?? XSK_DEFAULTS.txMetadataBytes),
      hasTxSwCsum: xsk.boolean('sw_csum', XSK_DEFAULTS.hasTxSwCsum),
    },
  };
}

function applicationOf(fields: JsonFields, name: string): NamedXsk {
  const read = readXskApplication(fields.text(name), fields.at(name));
  if (!read.ok) return fields.refuse(name, read.problem.message, read.problem.hint ?? '');
  const { name: application, factory, txMetadataBytes } = read.value;
  return { name: application, spec: { application: factory, txMetadataBytes } };
}

/** One number for all of them, or one for each that is to be another one than by default. */
function ringsOf(fields: JsonFields, code: string): XskRingSizes {
  if (typeof fields.raw('rings') === 'number') {
    const size = fields.number('rings');
    return { rx: size, tx: size, fill: size, completion: size };
  }
  const rings = new JsonFields(fields.raw('rings'), fields.at('rings'), ['rx', 'tx', 'fill', 'comp'], code);
  const { rx, tx, fill, completion } = XSK_DEFAULTS.rings;
  return { rx: rings.number('rx', rx), tx: rings.number('tx', tx), fill: rings.number('fill', fill), completion: rings.number('comp', completion) };
}
