import { fromHex, toSpacedHex } from '../base/index.js';
import { changeableSections, globalBytes, hasProgramEntries, isPlainMap, objectPath, parseEntryValue, programOf, testRunInput } from '../cases/index.js';
import type { CaseEntry, OpenCaseFile, TestCase } from '../cases/index.js';
import { mapTypeName } from '../vm/index.js';
import type { MapSpec, ObjectSpec } from '../vm/index.js';
import { XDP_MD_BYTES } from './testRunBuffers.js';

const HEAD = `#!/bin/sh
# The cases of sim replay as bpftool commands, for a machine where sim can't call the kernel itself. Run it as root, with bpffs
# mounted on /sys/fs/bpf. It prints verdict, packet, context and maps of each case; hold them against "expect" of the case file.
set -e
pin=/sys/fs/bpf/xdp-sim-$$
work=$(mktemp -d)
trap 'rm -rf "$pin" "$work"' EXIT
mkdir "$pin"
`;

/**
 * The commands that do with bpftool what `sim replay` does. What bpftool can't do (a socket in an XSKMAP, a read-only variable, a choice of
 * the CPU) stands in the script as a comment that begins with `# bpftool can't`.
 */
export function bpftoolScript(files: readonly OpenCaseFile[]): string {
  let number = 0;
  const blocks = files.flatMap((open) => open.file.cases.map((testCase) => caseBlock(open, testCase, number++)));
  return [HEAD, ...blocks].join('\n');
}

function caseBlock({ path, file, object }: OpenCaseFile, testCase: TestCase, number: number): string {
  const program = programOf(object, testCase);
  const title = comment(`${path}, case ${testCase.name}`);
  if (!program.ok) return `${title}\n${comment(`can't run: ${program.problem.message}`)}\n`;
  const pin = `"$pin/${number}"`;
  const { metaBytes = 0, dataMeta = 0, ingressIfindex = 0, rxQueueIndex = 0, egressIfindex = 0, ...input } = testRunInput(testCase);
  const context = Uint32Array.of(metaBytes, input.dataEnd ?? input.data.length, dataMeta, ingressIfindex, rxQueueIndex, egressIfindex);
  const contextBytes = new Uint8Array(XDP_MD_BYTES);
  context.forEach((word, index) => new DataView(contextBytes.buffer).setUint32(index * 4, word, true));
  const sizeOut = input.dataSizeOut === undefined ? '' : ` data_size_out ${input.dataSizeOut}`;
  const names = object.maps.filter((map) => isPlainMap(map) || changeableSections(object).includes(map)).map((map) => pinnedMap(object, map));
  return [
    title,
    `echo ${quote(`== ${testCase.name}`)}`,
    `bpftool prog loadall ${quote(objectPath(file, path))} ${pin} pinmaps ${pin}/maps`,
    ...globalLines(object, testCase, pin),
    ...Object.entries(testCase.maps ?? {}).flatMap(([name, entries]) => mapLines(object, name, entries, pin)),
    `printf '${octal(input.data)}' > "$work/data_in"`,
    `printf '${octal(contextBytes)}' > "$work/ctx_in"`,
    // A call that fails is a result too, and the next case is to run.
    `bpftool prog run pinned ${pin}/${quote(program.value)} data_in "$work/data_in" data_out -${sizeOut} ctx_in "$work/ctx_in" ctx_out - repeat ${input.repeat ?? 1} || true`,
    ...names.map((name) => `echo ${quote(name)} && bpftool map dump pinned ${pin}/maps/${name}`),
    `rm -rf ${pin}`,
    '',
  ].join('\n');
}

/** A changeable section is set as a whole; read-only ones are frozen as soon as they are loaded. */
function globalLines(object: ObjectSpec, { globals = {} }: TestCase, pin: string): string[] {
  const bytes = globalBytes(object, globals);
  if (!bytes.ok) return [comment(`can't be set: ${bytes.problem.message}`)];
  const given = object.variables.filter((variable) => bytes.value.has(variable.name));
  const sections = changeableSections(object);
  const constants = given.filter((variable) => !sections.some((section) => section.name === variable.map));
  const lines = constants.map(({ name }) => comment(`bpftool can't set the read-only variable ${name}: this case will differ`));
  for (const section of sections) {
    const changed = given.filter((variable) => variable.map === section.name);
    if (changed.length === 0) continue;
    const value = (section.initialValue ?? new Uint8Array(section.valueSize)).slice();
    for (const { name, offBytes } of changed) value.set(bytes.value.get(name)!, offBytes);
    lines.push(`bpftool map update pinned ${pin}/maps/${pinnedMap(object, section)} key hex 00 00 00 00 value hex ${toSpacedHex(value)}`);
  }
  return lines;
}

function mapLines(object: ObjectSpec, name: string, entries: readonly CaseEntry[], pin: string): string[] {
  const spec = object.maps.find((map) => map.name === name);
  if (spec === undefined) return [comment(`can't be filled: there is no map ${name}`)];
  const type = mapTypeName(spec.type);
  if (type === 'XSKMAP') return entries.map(({ key }) => comment(`bpftool can't put a socket into slot ${key} of ${name}: this case will differ`));
  return entries.map(({ key, value }) => {
    const program = hasProgramEntries(spec) ? parseEntryValue(spec, value)?.program : undefined;
    if (program !== undefined) return comment(`bpftool can't put program ${program} into entry ${key} of ${name}: this case will differ`);
    const target = type === 'PROG_ARRAY' ? `pinned ${pin}/${quote(value)}` : `hex ${toSpacedHex(bytesOf(value))}`;
    return `bpftool map update pinned ${pin}/maps/${pinnedMap(object, spec)} key hex ${toSpacedHex(bytesOf(key))} value ${target}`;
  });
}

/** One line, whatever the text holds: names come out of files, and a line of its own would be a command. */
function comment(text: string): string {
  // eslint-disable-next-line no-control-regex
  return `# ${text.replace(/[\u0000-\u001f\u007f]/g, '?')}`;
}

/** Longest name of an object in the name of its data sections' maps. */
const PREFIX_CHARS = 8;

/**
 * File name that libbpf pins a map by (internal_map_name, bpf_map__pin_path, sanitize_pin_path of libbpf 1.1): of `.bss` in prog.o it is
 * `prog_bss`, of a section with a name of its own (`.data.stats`) that name; dots become underscores.
 */
function pinnedMap(object: ObjectSpec, { name, dataSection }: MapSpec): string {
  const isPlainSection = dataSection !== undefined && ['.data', '.rodata', '.bss'].includes(dataSection);
  const base = object.name.split('/').at(-1)!.split('.')[0].slice(0, PREFIX_CHARS);
  return (isPlainSection ? `${base}${dataSection}` : name).replace(/[^A-Za-z0-9_]/g, '_');
}

function bytesOf(hex: string): Uint8Array {
  return fromHex(hex) ?? new Uint8Array(0);
}

/** Bytes for a printf of any shell. */
function octal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
