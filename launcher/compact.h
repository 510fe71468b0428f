/* Writing a VM's log anew: the shortest one that leads to the same index. */
#ifndef LAUNCHER_COMPACT_H
#define LAUNCHER_COMPACT_H

#include "err.h"
#include "fvm/index.h"
#include "vm.h"

/* Makes the bytes of a log (with header) that replays to the same index, parts that cannot be
 * reached left out. *data is to be freed. Returns the number of records, or -1 with an error
 * when it could not be shown to be the same. */
long compact_log(const struct fvm_index *ix, char **data, size_t *len, struct err **err);

#endif
