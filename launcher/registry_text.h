/* Keys and values as text: names of keys as users write them, .reg files, JSON. */
#ifndef LAUNCHER_REGISTRY_TEXT_H
#define LAUNCHER_REGISTRY_TEXT_H

#include <stdio.h>

#include "err.h"
#include "fvm/registry.h"
#include "util.h"

/* Reads the name of a key: HKLM\X, HKEY_LOCAL_MACHINE\X, HKCU, HKCR, HKU, HKCC; or a path below
 * \Registry with it in front. Slashes do not separate. */
int registry_parse_key(const char *text, struct wbuf *path, struct err **err);
int registry_parse_key_wide(struct fvm_wstr text, struct wbuf *path, struct err **err);
/* The name of a key, short (HKLM\X) or as in .reg files (HKEY_LOCAL_MACHINE\X). To be freed. */
char *registry_key_name(struct fvm_wstr path, bool long_form);

/* REG_SZ and so on, or the number; a static buffer for unknown ones. */
const char *registry_type_name(uint32_t type);
bool registry_parse_type(const char *text, uint32_t *type);
/* Makes a value's data from text: strings, numbers (0x too), hexadecimal bytes, for REG_MULTI_SZ
 * strings separated by \0. *data is to be freed. */
int registry_parse_data(uint32_t type, const char *text, void **data, uint32_t *size,
                        struct err **err);
/* The data for people: text, a number, or bytes. To be freed. */
char *registry_data_text(const struct fvm_reg_value *value);
/* {"type": ..., "data": ...} */
void registry_print_json_value(FILE *out, const struct fvm_reg_value *value);

/* Writing a .reg file, in UTF-16 as regedit does it. */
void registry_reg_begin(FILE *out);
void registry_reg_key(FILE *out, struct fvm_wstr path, bool deleted);
void registry_reg_value(FILE *out, const struct fvm_reg_value *value); /* deleted: "name"=- */

/* Reading one. Strings and data are the reader's until the next call. */
struct registry_reg_entry {
    struct fvm_wstr key; /* below \Registry */
    bool is_value, deleted;
    struct fvm_reg_value value;
};
/* Calls fn for each line. Nothing is called before the whole file was read without an error.
 * Stops and returns what fn returns when that is not 0; -1 with an error that names the line. */
int registry_reg_read(const char *file, int (*fn)(void *arg, const struct registry_reg_entry *e),
                      void *arg, struct err **err);

#endif
