// What the host gives. The file's name is the name of the import module.

/** Runs a helper on the low halves of r1..r5; all registers can be read and written in VM_REGS. */
export declare function callHelper(id: i32, a1: i32, a2: i32, a3: i32, a4: i32, a5: i32): i32;
