import { dirname, relative, resolve } from 'node:path';
import { fail, ok, toHex } from '../base/index.js';
import type { KernelRelease, Result } from '../base/index.js';
import { recordExpectations, runCases, SimulatorBackend, writeCaseFile } from '../cases/index.js';
import type { CaseFile, TestCase } from '../cases/index.js';
import { openCapture } from '../packet/index.js';
import type { ObjectSpec } from '../vm/index.js';

/** More cases than anybody reads; a file of them has some 50 MB. */
const MAX_CASES = 10_000;

/** What `sim run --record-cases` makes cases of. */
export interface CaseSource {
  readonly object: ObjectSpec;
  /** Paths of object and capture. */
  readonly objectPath: string;
  readonly capturePath: string;
  /** Sizes that the object's maps got, by name. */
  readonly mapSizes: Readonly<Record<string, number>>;
  readonly program: string;
  /** Whose rules hold; left out: the newest kernel's. */
  readonly kernel?: KernelRelease;
  /** Maps, variables and the network before the first packet. */
  readonly state: Pick<TestCase, 'maps' | 'globals' | 'network'>;
}

/**
 * Turns a capture into a case file: each packet by itself is one case, which begins with the given maps and variables and expects
 * what the program does with it then in the simulator's BPF_PROG_TEST_RUN. So no case depends on the packets before it.
 *
 * Problems: `too-many-cases`, `case-file-unwritable`, and those of `openCapture`.
 *
 * @returns how many cases were written
 */
export function recordCases(path: string, source: CaseSource): Result<number> {
  const packets = readPackets(source.capturePath);
  if (!packets.ok) return packets;
  const cases = packets.value.map((data, index) => ({ name: `packet ${index + 1}`, program: source.program, data_in: toHex(data), ...source.state }));
  const sizes = Object.keys(source.mapSizes).length === 0 ? {} : { map_sizes: source.mapSizes };
  const file: CaseFile = { schema: 1, object: relative(dirname(resolve(path)), resolve(source.objectPath)), ...sizes, cases };
  const results = runCases(file, source.object, new SimulatorBackend({ kernel: source.kernel }));
  if (!results.ok) return results;
  const problem = writeCaseFile(path, recordExpectations(file, results.value));
  return problem === undefined ? ok(cases.length) : fail(problem);
}

function readPackets(path: string): Result<Uint8Array[]> {
  const opened = openCapture(path);
  if (!opened.ok) return opened;
  const reader = opened.value;
  try {
    const packets: Uint8Array[] = [];
    for (;;) {
      const status = reader.next();
      if (status === 'end') return ok(packets);
      if (status === 'error') return fail(reader.problem!);
      if (packets.length === MAX_CASES) {
        return fail({ code: 'too-many-cases', where: path, message: `the capture has more than ${MAX_CASES} packets`, hint: 'record the cases of a part of it' });
      }
      packets.push(reader.data.slice(reader.offBytes, reader.offBytes + reader.capturedLen));
    }
  } finally {
    reader.close();
  }
}
