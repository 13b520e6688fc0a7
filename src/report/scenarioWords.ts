import type { Problem } from '../base/index.js';

/** What problems call by a flag of `sim run`, by a name of the library or by a type of the kernel, and what stands for it in a scenario file. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/, or give it an inner map when the object is loaded: sim run --inner-map NAME=MAP, innerMaps of loadObject/g, ''],
  [/sim run --map-size NAME=N does/g, '"map_sizes": {"NAME": N} of the object does'],
  [/sim run target\.o extension\.o/g, '"files": ["target.o", "extension.o"]'],
  [/begin with an application \(--xsk; in a test xsk\), or give a socket that you opened/g, 'begin with an application, "xsk" of a NIC'],
  [/--chain (\w+)/g, '"chain": ["$1"]'],
  [/--prog\b/g, '"program" in "xdp" of the NIC'],
  [/--cpus\b/g, '"cpus" of the host'],
  [/--(mtu|queues|headroom) (\d+)/g, '"$1": $2'],
  [/--mode (\w+)/g, '"mode": "$1" in "xdp" of the NIC'],
  [/--(btf|kconfig) (\S+\w)/g, '"$1": "$2" of the host'],
  // Settings of sockets, as xsk/ names them.
  [/\bframeSize\b/g, '"frame_size"'],
  [/\bframeHeadroom\b/g, '"headroom"'],
  [/\btxMetadataLen\b|\bXDP_UMEM_TX_METADATA_LEN\b/g, '"tx_metadata"'],
  [/\bXDP_UMEM_UNALIGNED_CHUNK_FLAG\b/g, '"unaligned": true'],
  [/\bXDP_UMEM_TX_SW_CSUM\b/g, '"sw_csum": true'],
  [/\bXDP_ZEROCOPY\b/g, '"mode": "zerocopy"'],
  [/\bXDP_COPY\b/g, '"mode": "copy"'],
  [/\bXDP_USE_SG\b/g, '"sg": true'],
  [/\bXDP_USE_NEED_WAKEUP\b/g, '"need_wakeup": true'],
];

/** A problem in the words of a scenario file. */
export function inScenarioWords(problem: Problem): Problem {
  const translate = (text: string): string => WORDS.reduce((translated, [word, key]) => translated.replace(word, key), text);
  const { message, hint } = problem;
  return { ...problem, message: translate(message), ...(hint === undefined ? {} : { hint: translate(hint) }) };
}
