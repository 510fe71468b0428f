/* NtSaveKey of a key that the VM has changed: the text that the host's server writes. */
#include "registry.h"

NTSYSAPI NTSTATUS NTAPI NtWriteFile(HANDLE, HANDLE, void *, void *, IO_STATUS_BLOCK *, void *,
                                    ULONG, LARGE_INTEGER *, ULONG *);

#define MAX_DEPTH 512
#define EPOCH     116444736000000000ull /* 1970 in 100 ns since 1601 */
#define LINE_MAX  76                    /* where lines of bytes end */

struct writer {
    HANDLE file;
    uint8_t *buffer;
    ULONG used;
    uint64_t at;
    NTSTATUS status;
    uint32_t column; /* characters since the line's start */
    fvm_wchar *path; /* of the key, relative to the saved one */
};

static void flush(struct writer *w)
{
    LARGE_INTEGER offset = {.QuadPart = (LONGLONG)w->at};
    IO_STATUS_BLOCK io;

    if (!w->status && w->used) {
        w->status = NtWriteFile(w->file, NULL, NULL, NULL, &io, w->buffer, w->used, &offset, NULL);
        if (!w->status && io.Information != w->used) w->status = NT_DISK_FULL;
    }
    w->at += w->used;
    w->used = 0;
}

static void put(struct writer *w, char c)
{
    if (w->used == GUEST_SCRATCH_SIZE) flush(w);
    w->buffer[w->used++] = (uint8_t)c;
    w->column = c == '\n' ? 0 : w->column + 1;
}

static void put_text(struct writer *w, const char *s)
{
    while (*s)
        put(w, *s++);
}

static void put_hex(struct writer *w, uint64_t value, int least)
{
    char digits[16];
    int n = 0;

    do
        digits[n++] = "0123456789abcdef"[value & 15];
    while ((value >>= 4) || n < least);
    while (n)
        put(w, digits[--n]);
}

static void put_decimal(struct writer *w, uint32_t value)
{
    char digits[10];
    int n = 0;

    do
        digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    while (n)
        put(w, digits[--n]);
}

static bool is_hex_digit(fvm_wchar c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Text with the host's escapes; a last zero is left out. separators: what becomes "\\". */
static void put_string(struct writer *w, const fvm_wchar *s, uint32_t len, char escape1,
                       char escape2, bool is_path)
{
    static const char names[] = ".......abtnvfr.............e....";

    for (uint32_t i = 0; i < len; i++) {
        fvm_wchar c = s[i], next = i + 1 < len ? s[i + 1] : 0;
        if (c == '\\' && is_path) {
            put_text(w, "\\\\");
        } else if (c > 127) {
            put_text(w, "\\x");
            put_hex(w, c, i + 1 < len && is_hex_digit(next) ? 4 : 1);
        } else if (c < 32) {
            if (!c && i + 1 == len) continue;
            put(w, '\\');
            if (names[c] != '.') {
                put(w, names[c]);
            } else {
                bool all = i + 1 < len && next >= '0' && next <= '7';
                if (all || c >= 64) put(w, (char)('0' + (c >> 6)));
                if (all || c >= 8) put(w, (char)('0' + (c >> 3 & 7)));
                put(w, (char)('0' + (c & 7)));
            }
        } else {
            if (c == '\\' || c == (fvm_wchar)escape1 || c == (fvm_wchar)escape2) put(w, '\\');
            put(w, (char)c);
        }
    }
}

static void put_value(struct writer *w, const struct value_full_info *v)
{
    const uint8_t *data = (const uint8_t *)v + v->data_offset;
    ULONG size = v->data_length, type = v->type;
    bool text = type == REG_SZ || type == REG_EXPAND_SZ || type == REG_MULTI_SZ;
    const fvm_wchar *s = (const void *)data;

    if (v->name_length) {
        put(w, '"');
        put_string(w, (const fvm_wchar *)v->name, v->name_length / 2, '"', '"', false);
        put_text(w, "\"=");
    } else {
        put_text(w, "@=");
    }
    if (text && size >= 2 && size % 2 == 0 && !s[size / 2 - 1]) {
        if (type != REG_SZ) {
            put_text(w, "str(");
            put_hex(w, type, 1);
            put_text(w, "):");
        }
        put(w, '"');
        put_string(w, s, size / 2, '"', '"', false);
        put_text(w, "\"\n");
        return;
    }
    if (type == REG_DWORD && size == 4) {
        uint32_t dword;
        memcpy(&dword, data, sizeof dword);
        put_text(w, "dword:");
        put_hex(w, dword, 8);
        put(w, '\n');
        return;
    }
    put_text(w, "hex");
    if (type != REG_BINARY) {
        put(w, '(');
        put_hex(w, type, 1);
        put(w, ')');
    }
    put(w, ':');
    uint32_t count = w->column;
    for (ULONG i = 0; i < size; i++) {
        put_hex(w, data[i], 2);
        if (i + 1 == size) break;
        put(w, ',');
        count += 3;
        if (count > LINE_MAX) {
            put_text(w, "\\\n  ");
            count = 2;
        }
    }
    put(w, '\n');
}

static bool is_link(HANDLE key)
{
    static const WCHAR name[] = L"SymbolicLinkValue";
    UNICODE_STRING text = {sizeof name - 2, sizeof name - 2, (WCHAR *)name};
    struct value_partial_info info;
    ULONG used;
    NTSTATUS status = reg_hook_query_value(key, &text, VALUE_PARTIAL, &info, sizeof info, &used);

    return (!status || status == NT_BUFFER_OVERFLOW) && info.type == REG_LINK;
}

static bool is_volatile(HANDLE handle)
{
    struct reg_key key;
    NTSTATUS status;
    bool yes = false;

    if (reg_key_begin(handle, true, &key, &status) == REG_OURS) {
        yes = key.is_private && (reg_key_flags(&key) & FVM_REG_VOLATILE);
        reg_key_end(&key);
    }
    return yes;
}

static void put_key_head(struct writer *w, HANDLE key, uint32_t path_len,
                         const struct key_full_info *info)
{
    uint64_t time = (uint64_t)info->time.QuadPart;

    put_text(w, "\n[");
    put_string(w, w->path, path_len, '[', ']', true);
    put_text(w, "] ");
    put_decimal(w, (uint32_t)((time - EPOCH) / 10000000));
    put_text(w, "\n#time=");
    put_hex(w, time >> 32, 1);
    put_hex(w, time & 0xffffffff, 8);
    put(w, '\n');
    if (info->class_length) {
        put_text(w, "#class=\"");
        put_string(w, (const fvm_wchar *)info->class, info->class_length / 2, '"', '"', false);
        put_text(w, "\"\n");
    }
    if (is_link(key)) put_text(w, "#link\n");
}

static void put_tree(struct writer *w, HANDLE key, uint32_t path_len, int depth)
{
    void *scratch = guest_scratch_get();
    struct key_full_info *full = scratch;
    struct value_full_info *value = scratch;
    ULONG used;

    if (!scratch) w->status = NT_NO_MEMORY;
    if (!w->status) w->status = reg_hook_query_key(key, KEY_FULL, full, GUEST_SCRATCH_SIZE, &used);
    bool head = !w->status && (full->values || !full->subkeys || full->class_length ||
                               is_link(key));
    if (head) put_key_head(w, key, path_len, full);
    for (ULONG i = 0; head && !w->status; i++) {
        NTSTATUS status =
            reg_hook_enumerate_value(key, i, VALUE_FULL, scratch, GUEST_SCRATCH_SIZE, &used);
        value = scratch;
        if (status == NT_BUFFER_OVERFLOW && (value = guest_alloc(used)))
            status = reg_hook_enumerate_value(key, i, VALUE_FULL, value, used, &used);
        if (!status) put_value(w, value);
        if (value != scratch) guest_free(value);
        if (status == NT_NO_MORE_ENTRIES) break;
        w->status = status;
    }
    for (ULONG i = 0; !w->status && depth < MAX_DEPTH; i++) {
        struct key_basic_info *info = scratch;
        NTSTATUS status =
            reg_hook_enumerate_key(key, i, KEY_BASIC, info, GUEST_SCRATCH_SIZE, &used);
        if (status == NT_NO_MORE_ENTRIES) break;
        UNICODE_STRING name = {(USHORT)info->name_length, (USHORT)info->name_length, info->name};
        OBJECT_ATTRIBUTES attr;
        HANDLE child;
        InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE | OBJ_OPEN_LINK, key, NULL);
        if (!status) status = reg_hook_open_key_ex(&child, KEY_READ, &attr, 0);
        if ((w->status = status)) break;
        uint32_t len = path_len;
        if (name.Length / 2 + len + 1 < FVM_REG_PATH_MAX) {
            if (len) w->path[len++] = '\\';
            memcpy(w->path + len, info->name, name.Length);
            if (!is_volatile(child)) put_tree(w, child, len + name.Length / 2, depth + 1);
        }
        guest_registry_closing(child);
        reg_real.close(child);
    }
    guest_scratch_put(scratch);
}

/* Has the VM changed anything at or below the key? */
static bool is_changed(HANDLE handle)
{
    struct reg_key key;
    NTSTATUS status;

    if (reg_key_begin(handle, false, &key, &status) != REG_OURS) return false;
    bool changed = key.is_private || key.node || fvm_reg_has_origins(reg_store());
    reg_key_end(&key);
    return changed;
}

NTSTATUS NTAPI reg_hook_save_key(HANDLE handle, HANDLE file)
{
    if (!is_changed(handle)) return reg_real.save_key(handle, file);
    /* the host looks at the caller's privilege first, then at the key, then at the file */
    NTSTATUS status = reg_real.save_key(handle, NULL);
    if (status == NT_PRIVILEGE_NOT_HELD || status == NT_KEY_DELETED) return status;

    struct writer w = {.file = file, .buffer = guest_scratch_get(), .path = guest_scratch_get()};
    struct key_name_info *full = guest_scratch_get();
    ULONG used;
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING none = {0};
    HANDLE key;
    if (!w.buffer || !w.path || !full) w.status = NT_NO_MEMORY;
    if (!w.status) w.status = reg_hook_query_key(handle, KEY_NAME, full, GUEST_SCRATCH_SIZE, &used);
    /* the program's handle need not be one to read */
    InitializeObjectAttributes(&attr, &none, 0, handle, NULL);
    if (!w.status && !(w.status = reg_hook_open_key_ex(&key, KEY_READ, &attr, 0))) {
        put_text(&w, "WINE REGISTRY Version 2\n;; All keys relative to ");
        put_string(&w, (fvm_wchar *)full->name + 1, full->size / 2 - 1, '[', ']', true);
        put_text(&w, "\n\n#arch=win64\n");
        put_tree(&w, key, 0, 0);
        guest_registry_closing(key);
        reg_real.close(key);
        flush(&w);
    }
    guest_scratch_put(full);
    guest_scratch_put(w.path);
    guest_scratch_put(w.buffer);
    return w.status;
}
