/** Everything is fine. */
export const EXIT_OK = 0;
/** A check or an expectation failed. */
export const EXIT_FAILED = 1;
/** Wrong usage, or input or output that can't be read or written. */
export const EXIT_USAGE = 2;
/** The simulator itself failed (EX_SOFTWARE of sysexits.h), so that nobody takes it for a verdict on a program. */
export const EXIT_BUG = 70;
