#include "bench.h"
INLINE int body(u8 *data, u8 *data_end) { return XDP_DROP; }
