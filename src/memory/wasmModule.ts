/** Compiles one of the modules that `scripts/build-wasm.mjs` has written, given in base64. */
export function compileWasm(base64: string): WebAssembly.Module {
  return new WebAssembly.Module(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
}
