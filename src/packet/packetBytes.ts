/**
 * Types don't hold in plain JavaScript, nor in test runners that strip them: a builder of which nobody has called `build` arrives as bytes.
 *
 * @throws TypeError for what is no Uint8Array, with the name of the function that was called
 */
export function checkPacketBytes(caller: string, bytes: unknown): void {
  if (bytes instanceof Uint8Array) return;
  const isBuilder = typeof bytes === 'object' && bytes !== null && 'build' in bytes;
  throw new TypeError(`${caller} takes the bytes of a packet (Uint8Array)${isBuilder ? ', and got a builder: call its build()' : `, but got ${bytes === null ? 'null' : typeof bytes}`}`);
}
