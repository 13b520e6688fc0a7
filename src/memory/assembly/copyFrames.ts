/** Copies each row's bytes: a list of { u32 destination, u32 source, u32 length }. */
export function copyFrames(list: u32, count: u32): void {
  const end = list + count * 12;
  for (let row = list; row != end; row += 12) memory.copy(load<u32>(row), load<u32>(row, 4), load<u32>(row, 8));
}
