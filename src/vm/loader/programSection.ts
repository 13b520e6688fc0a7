import type { ProgramSpec } from '../spec.js';

const DEVMAP_OR_CPUMAP = /^xdp(?:\.frags)?\/(devmap|cpumap)(?:\/|$)|^xdp_(devmap|cpumap)\//;
const EXTENSION = /^freplace(?:\/(.*))?$/;
const FRAGS = /^xdp\.frags(?:\/|$)/;

/**
 * What the name of a program's section says about it, by libbpf's section table (`section_defs`, tools/lib/bpf/libbpf.c).
 *
 * Older than that table are names of one's own like `xdp_prog` or `xdp1`: everything else that begins with `xdp` is a plain XDP program.
 * A leading `?` ("don't load by default") says nothing about the type.
 *
 * @param assumeXdp what other names stand for: plain XDP programs, or ones of another type
 */
export function programKind(section: string, assumeXdp = false): Pick<ProgramSpec, 'type' | 'attachType' | 'frags' | 'replaces'> {
  const name = section.startsWith('?') ? section.slice(1) : section;
  const extension = EXTENSION.exec(name);
  if (extension !== null) return { type: 'other', attachType: 'xdp', frags: false, replaces: extension[1] ?? '' };
  if (!name.startsWith('xdp')) return { type: assumeXdp ? 'xdp' : 'other', attachType: 'xdp', frags: false };
  const second = DEVMAP_OR_CPUMAP.exec(name);
  const attachType = (second?.[1] ?? second?.[2] ?? 'xdp') as ProgramSpec['attachType'];
  return { type: 'xdp', attachType, frags: FRAGS.test(name) };
}
