import { existsSync } from 'node:fs';
import { arch, release } from 'node:os';
import { describe, expect, test } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { BUILT_IN_KERNEL_TYPES } from '../../../src/vm/btf/builtInTypes.js';
import type { BtfView } from '../../../src/vm/btf/coreTarget.js';
import { loadKernelTypes } from '../../../src/vm/btf/kernelTypesFile.js';

const VMLINUX = '/sys/kernel/btf/vmlinux';
const hasVmlinux = existsSync(VMLINUX) && arch() === 'x64' && release().startsWith('6.18.');
if (!hasVmlinux) console.warn('SKIPPED, built-in types not compared with the kernel: needs Linux 6.18 on x86-64 with /sys/kernel/btf/vmlinux');

/** Everything about a type that CO-RE can ask: members with places, names and sizes of what they hold, values. */
function describeType(btf: BtfView, id: number): unknown {
  const at = btf.resolve(id);
  const type = btf.type(at);
  switch (type.kind) {
    case 'int': return [type.name, type.sizeBytes, type.signed];
    case 'ptr': {
      const target = btf.type(btf.resolve(type.typeId));
      return target.kind === 'struct' || target.kind === 'union' || target.kind === 'fwd' ? `* ${target.name}` : '*';
    }
    case 'array': return [type.count, describeType(btf, type.typeId)];
    case 'enum': return { name: type.name, sizeBytes: type.sizeBytes, values: type.values.map(({ name, value }) => `${name} ${value}`) };
    case 'struct':
    case 'union':
      return {
        kind: type.kind,
        name: type.name,
        sizeBytes: type.sizeBytes,
        members: type.members.map((member) => [member.name, member.bitOffset, member.bitfieldBits, btf.sizeOf(member.typeId), describeType(btf, member.typeId)]),
      };
    default: return type.kind;
  }
}

/** In no vmlinux whose flow tables are a module or left out. */
const IN_MODULES = ['bpf_flowtable_opts'];

const NAMED = BUILT_IN_KERNEL_TYPES.types.types.flatMap(({ kind, name }, id) => {
  return name !== '' && !IN_MODULES.includes(name) && (kind === 'struct' || kind === 'union' || kind === 'enum') ? [{ kind, name, id }] : [];
});

test('types that XDP programs meet are there, without those that only pointers lead to', () => {
  const sizes = ['xdp_md', 'ethhdr', 'iphdr', 'ipv6hdr', 'tcphdr', 'bpf_fib_lookup', 'nf_conn', 'flow_offload', 'bpf_flowtable_opts', 'net_device'].map((name) => [
    name, BUILT_IN_KERNEL_TYPES.candidates(name).map((id) => BUILT_IN_KERNEL_TYPES.sizeOf(id)),
  ]);
  expect(Object.fromEntries(sizes)).toEqual({
    xdp_md: [24], ethhdr: [14], iphdr: [20], ipv6hdr: [40], tcphdr: [20], bpf_fib_lookup: [64], nf_conn: [248], flow_offload: [216], bpf_flowtable_opts: [4], net_device: [],
  });
});

describe.skipIf(!hasVmlinux)('the built-in types are those of the running kernel', () => {
  const vmlinux = unwrap(loadKernelTypes(VMLINUX));

  test.each(NAMED)('$kind $name', ({ kind, name, id }) => {
    const theirs = vmlinux.find(kind, name);
    expect(theirs).toBeDefined();
    expect(describeType(BUILT_IN_KERNEL_TYPES, id)).toEqual(describeType(vmlinux, theirs!));
  });
});
