import { Owner } from '../../memory/index.js';
import type { XskSocket } from '../../umem/index.js';

/** Gives every chunk to the kernel, as many as the FILL ring takes. */
export function fillAll(socket: XskSocket): void {
  const { umem } = socket;
  for (let chunk = 0; chunk < umem.sizeBytes; chunk += umem.chunkSizeBytes) if (!giveToFill(socket, chunk)) return;
}

/** Puts one chunk of the application on the FILL ring; false when the ring is full. */
export function giveToFill(socket: XskSocket, offBytes: number): boolean {
  const chunk = offBytes - (offBytes % socket.umem.chunkSizeBytes);
  if (!socket.fill.produce(chunk)) return false;
  socket.umem.chunks.move(socket.umem.address + chunk, Owner.application, Owner.fillRing);
  return true;
}
