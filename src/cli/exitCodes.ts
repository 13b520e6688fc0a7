/** Everything is fine. */
export const EXIT_OK = 0;
/** A check or an expectation failed. */
export const EXIT_FAILED = 1;
/** Wrong usage, or input that can't be read. */
export const EXIT_USAGE = 2;
