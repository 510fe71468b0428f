/* What a VM has changed in its registry. */
#ifndef LAUNCHER_REGISTRY_DIFF_H
#define LAUNCHER_REGISTRY_DIFF_H

#include "registry_view.h"

enum registry_diff_form { REGISTRY_DIFF_TEXT, REGISTRY_DIFF_JSON, REGISTRY_DIFF_REG };

/* Prints the changes at and below a path (empty: all), keys and values in order. JSON: elements of
 * a list, each with a comma in front unless *first, which is cleared. REG: a whole .reg file that
 * makes the same changes where it is imported. What ends with the VM's run is left out. */
void registry_diff(const struct registry_view *view, struct fvm_wstr below,
                   enum registry_diff_form form, bool *first);
/* Writes a key with all below it as a .reg file. */
void registry_export(const struct registry_view *view, const struct registry_key *key, FILE *out);

#endif
