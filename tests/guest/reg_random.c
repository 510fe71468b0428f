/* Random calls on the registry below one key, with everything that they answer written down:
 * run natively and in a VM over the same content, the transcripts must be equal.
 *
 *   reg_random KEY fill SEED          makes content: what the base of the VM has
 *   reg_random KEY run SEED COUNT [tree]  COUNT random calls; after each, a hash of all
 *   reg_random KEY dump               all there is
 *   reg_random KEY clear              deletes the key with all below it
 *
 * KEY stands below \Registry ("Machine\Software\X"). */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>
#include <winternl.h>

NTSTATUS NTAPI NtCreateKey(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, ULONG,
                           const UNICODE_STRING *, ULONG, ULONG *);
NTSTATUS NTAPI NtOpenKeyEx(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *, ULONG);
NTSTATUS NTAPI NtOpenKey(HANDLE *, ACCESS_MASK, const OBJECT_ATTRIBUTES *);
NTSTATUS NTAPI NtDeleteKey(HANDLE);
NTSTATUS NTAPI NtRenameKey(HANDLE, UNICODE_STRING *);
NTSTATUS NTAPI NtQueryKey(HANDLE, int, void *, ULONG, ULONG *);
NTSTATUS NTAPI NtEnumerateKey(HANDLE, ULONG, int, void *, ULONG, ULONG *);
NTSTATUS NTAPI NtQueryValueKey(HANDLE, const UNICODE_STRING *, int, void *, ULONG, ULONG *);
NTSTATUS NTAPI NtEnumerateValueKey(HANDLE, ULONG, int, void *, ULONG, ULONG *);
NTSTATUS NTAPI NtSetValueKey(HANDLE, const UNICODE_STRING *, ULONG, ULONG, const void *, ULONG);
NTSTATUS NTAPI NtDeleteValueKey(HANDLE, const UNICODE_STRING *);
NTSTATUS NTAPI NtFlushKey(HANDLE);

#define OPEN_LINK   0x100u
#define CREATE_LINK 2u
#define HANDLES     24
#define BUFFER      300000

static WCHAR root[512];
static HANDLE handles[HANDLES];
static uint8_t buffer[BUFFER], data[BUFFER];
static uint64_t state;
static unsigned long step;
static bool volatiles; /* with an odd seed: they end with the VM's run */

static uint32_t rnd(uint32_t n)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return n ? (uint32_t)(state >> 33) % n : 0;
}

static uint32_t hash(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 16777619u;
    return h;
}

static UNICODE_STRING text(const WCHAR *s)
{
    UNICODE_STRING u = {(USHORT)(wcslen(s) * 2), (USHORT)(wcslen(s) * 2), (WCHAR *)s};
    return u;
}

/* --- names ---------------------------------------------------------------------------------- */

static const WCHAR *const names[] = {
    L"a",   L"B",      L"c",    L"Ab",      L"aB_1", L"zed",           L"_under", L"\u00e9t\u00e9",
    L"Zz9", L"k.long", L"{12}", L"\u0130x", L"~t",   L"with blank in", L"K",      L"\u212a",
};
#define NAMES (sizeof names / sizeof *names)

static const WCHAR *name(void)
{
    static WCHAR buffers[4][300];
    static int turn;
    WCHAR *out = buffers[turn = (turn + 1) & 3];
    uint32_t r = rnd(100);

    wcscpy(out, names[rnd(NAMES)]);
    if (r < 10) { /* other case */
        for (WCHAR *p = out; *p; p++)
            *p = *p < 128 && rnd(2) ? (WCHAR)(*p ^ ((*p | 32) >= 'a' && (*p | 32) <= 'z' ? 32 : 0))
                                    : *p;
    } else if (r < 16) {
        swprintf(out, 300, L"n%u", rnd(40));
    } else if (r == 16) {
        for (int i = 0, n = 250 + (int)rnd(8); i < n; i++)
            out[i] = L'q', out[i + 1] = 0;
    }
    return out;
}

/* A name of one to four components. */
static const WCHAR *path(void)
{
    static WCHAR out[1300];
    int n = 1 + (int)rnd(rnd(3) ? 2 : 4);

    *out = 0;
    for (int i = 0; i < n; i++) {
        if (i) wcscat(out, rnd(40) ? L"\\" : L"\\\\");
        wcscat(out, name());
    }
    if (!rnd(40)) wcscat(out, L"\\");
    return out;
}

static const char *shown(const WCHAR *s)
{
    static char buffers[4][2048];
    static int turn;
    char *out = buffers[turn = (turn + 1) & 3], *p = out;

    for (; *s && p < out + 2000; s++) {
        if (*s >= 32 && *s < 127)
            *p++ = (char)*s;
        else
            p += sprintf(p, "<%x>", *s);
    }
    *p = 0;
    return out;
}

/* --- one call each ---------------------------------------------------------------------------- */

static HANDLE *slot(void) { return &handles[rnd(HANDLES)]; }

static ACCESS_MASK access_mask(void)
{
    static const ACCESS_MASK some[] = {KEY_READ,        KEY_WRITE, KEY_QUERY_VALUE,
                                       MAXIMUM_ALLOWED, DELETE,    GENERIC_READ,
                                       KEY_SET_VALUE | KEY_ENUMERATE_SUB_KEYS};
    return rnd(4) ? KEY_ALL_ACCESS : some[rnd(sizeof some / sizeof *some)];
}

static void replace(HANDLE *at, HANDLE handle)
{
    if (!handle) return;
    if (*at) NtClose(*at);
    *at = handle;
}

/* Below the root by its full name, or below a handle. */
static void make_attr(OBJECT_ATTRIBUTES *attr, UNICODE_STRING *u, WCHAR *full, HANDLE *base)
{
    const WCHAR *rest = rnd(12) ? path() : L"";

    *base = rnd(2) ? *slot() : NULL;
    if (*base)
        wcscpy(full, rest);
    else
        swprintf(full, 2048, L"\\%ls\\%ls%ls%ls", rnd(8) ? L"Registry" : L"REGISTRY", root,
                 *rest ? L"\\" : L"", rest);
    *u = text(full);
    InitializeObjectAttributes(attr, u, rnd(3) ? OBJ_CASE_INSENSITIVE : 0, *base, NULL);
    if (!rnd(10)) attr->Attributes |= OPEN_LINK;
    printf("%d %s", *base ? 1 : 0, shown(*base ? full : rest));
}

static void do_open(void)
{
    WCHAR full[2048];
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING u;
    HANDLE base, handle = (HANDLE)1;
    HANDLE *at = slot();

    make_attr(&attr, &u, full, &base);
    ACCESS_MASK access = access_mask();
    NTSTATUS status =
        rnd(2) ? NtOpenKey(&handle, access, &attr) : NtOpenKeyEx(&handle, access, &attr, 0);
    printf(" %lx -> %lx\n", access, status);
    replace(at, handle == (HANDLE)1 ? NULL : handle);
}

static void do_create(void)
{
    WCHAR full[2048];
    OBJECT_ATTRIBUTES attr;
    UNICODE_STRING u, class = text(rnd(2) ? L"" : name());
    HANDLE base, handle = (HANDLE)1, *at = slot();
    ULONG options = 0, disposition = 77;

    make_attr(&attr, &u, full, &base);
    if (!u.Length) {
        puts(" none");
        return;
    }
    if (!rnd(12) && volatiles) options |= REG_OPTION_VOLATILE;
    if (!rnd(15) && (base || u.Length / 2 > wcslen(root) + 10)) options |= CREATE_LINK;
    ACCESS_MASK access = access_mask();
    /* the host takes the class away from a key of the base that is opened so: see
     * docs/compatibility.md; the content made by "fill" has no classes */
    NTSTATUS status = NtCreateKey(&handle, access, &attr, 0, rnd(4) ? NULL : &class, options,
                                  rnd(8) ? &disposition : NULL);
    printf(" %lx %lu -> %lx %lu\n", access, options, status, disposition);
    if (!status && (options & CREATE_LINK) && handle && handle != (HANDLE)1) {
        UNICODE_STRING value = text(L"SymbolicLinkValue");
        swprintf(full, 2048, L"\\Registry\\%ls\\%ls", root, path());
        status = NtSetValueKey(handle, &value, 0, REG_LINK, full, (ULONG)wcslen(full) * 2);
        printf("  link to %s -> %lx\n", shown(wcsrchr(full, L'R')), status);
    }
    replace(at, handle == (HANDLE)1 ? NULL : handle);
}

static const WCHAR *value_name(void)
{
    static WCHAR out[20000];
    uint32_t r = rnd(40);

    if (r < 3) return L"";
    if (r == 3) {
        for (int i = 0, n = rnd(2) ? 16383 : 1000; i < n; i++)
            out[i] = L'v', out[i + 1] = 0;
        return out;
    }
    return name();
}

static void do_set(void)
{
    static const ULONG types[] = {REG_SZ, REG_DWORD, REG_BINARY, REG_MULTI_SZ, REG_NONE, 0x1234};
    UNICODE_STRING u = text(value_name());
    ULONG type = types[rnd(6)], size = rnd(40), seed = rnd(6);

    if (!rnd(60)) size = rnd(1000);
    if (!rnd(400)) size = rnd(200000);
    for (ULONG i = 0; i < size; i++)
        data[i] = (uint8_t)(seed * 37 + i);
    NTSTATUS status = NtSetValueKey(*slot(), &u, 0, type, data, size);
    printf(" %s %lu %lu -> %lx\n", u.Length > 600 ? "LONG" : shown(u.Buffer), type, size, status);
}

static void do_delete_value(void)
{
    UNICODE_STRING u = text(value_name());
    NTSTATUS status = NtDeleteValueKey(*slot(), &u);
    printf(" %s -> %lx\n", u.Length > 600 ? "LONG" : shown(u.Buffer), status);
}

static ULONG buffer_size(void)
{
    switch (rnd(5)) {
    case 0: return rnd(64);
    case 1: return rnd(400);
    default: return BUFFER;
    }
}

/* What the call has left in the buffer; the first bytes, a time, are left out. */
static void answer(NTSTATUS status, ULONG length, ULONG used, ULONG skip)
{
    bool counts = !status || status == (NTSTATUS)0x80000005 || status == (NTSTATUS)0xc0000023;

    if (!counts) {
        printf(" -> %lx\n", status);
        return;
    }
    ULONG end = used < length ? used : length;
    if (skip > end) skip = end;
    printf(" -> %lx %lu %x", status, used, hash(buffer + skip, end - skip));
    for (ULONG i = skip; end <= 64 && i < end; i++)
        printf("%s%02x", i % 4 ? "" : " ", buffer[i]);
    puts("");
}

static void do_query_value(void)
{
    UNICODE_STRING u = text(value_name());
    int class = (int)rnd(3);
    ULONG length = buffer_size(), used = 0;

    if (!rnd(50)) class = 7;
    memset(buffer, 0xcc, 1024);
    NTSTATUS status = NtQueryValueKey(*slot(), &u, class, buffer, length, &used);
    printf(" %s %d %lu", u.Length > 600 ? "LONG" : shown(u.Buffer), class, length);
    answer(status, length, used, 0);
}

static void do_enumerate_value(void)
{
    int class = (int)rnd(3);
    ULONG length = buffer_size(), used = 0, index = rnd(rnd(3) ? 6 : 30);

    memset(buffer, 0xcc, 1024);
    NTSTATUS status = NtEnumerateValueKey(*slot(), index, class, buffer, length, &used);
    printf(" %lu %d %lu", index, class, length);
    answer(status, length, used, 0);
}

static void do_enumerate_key(void)
{
    int class = (int)rnd(5);
    ULONG length = buffer_size(), used = 0, index = rnd(rnd(3) ? 6 : 30);

    memset(buffer, 0xcc, 1024);
    NTSTATUS status = NtEnumerateKey(*slot(), index, class, buffer, length, &used);
    printf(" %lu %d %lu", index, class, length);
    /* what stands behind the last field of class 4 is nothing */
    answer(status, class == 4 && length > 36 ? 36 : length, used, class == 3 ? 0 : 8);
}

static void do_query_key(void)
{
    int class = (int)rnd(5);
    ULONG length = buffer_size(), used = 0;

    if (!rnd(50)) class = 9;
    memset(buffer, 0xcc, 1024);
    NTSTATUS status = NtQueryKey(*slot(), class, buffer, length, &used);
    printf(" %d %lu", class, length);
    answer(status, class == 4 && length > 36 ? 36 : length, used, class == 3 ? 0 : 8);
}

/* All entries; now and then one is deleted on the way. */
static void do_walk(void)
{
    HANDLE key = *slot();
    bool values = rnd(2), deletes = !rnd(4);
    uint32_t sum = 0;
    ULONG used = 0, i, n = 0;
    NTSTATUS status = 0;

    for (i = 0; i < 200 && n < 200; i++, n++) {
        if (values)
            status = NtEnumerateValueKey(key, i, 1, buffer, BUFFER, &used);
        else
            status = NtEnumerateKey(key, i, 1, buffer, BUFFER, &used);
        if (status) break;
        sum = sum * 31 + hash(buffer + (values ? 0 : 8), used - (values ? 0 : 8));
        if (getenv("REG_TRACE")) printf(" %lu:%lu:%x", i, used, sum);
        if (!deletes || rnd(3)) continue;
        if (values) {
            ULONG len = ((ULONG *)buffer)[4];
            UNICODE_STRING u = {(USHORT)len, (USHORT)len, (WCHAR *)(buffer + 20)};
            status = NtDeleteValueKey(key, &u);
        } else {
            ULONG len = ((ULONG *)buffer)[5];
            UNICODE_STRING u = {(USHORT)len, (USHORT)len, (WCHAR *)(buffer + 24)};
            OBJECT_ATTRIBUTES attr;
            HANDLE child;
            InitializeObjectAttributes(&attr, &u, OBJ_CASE_INSENSITIVE | OPEN_LINK, key, NULL);
            status = NtOpenKeyEx(&child, DELETE, &attr, 0);
            if (!status) {
                status = NtDeleteKey(child);
                NtClose(child);
            }
        }
        sum = sum * 31 + (uint32_t)status;
        if (!status && rnd(2)) i--;
    }
    printf(" %d %lu -> %lx %x\n", values, n, status, sum);
}

static void do_delete_key(void) { printf(" -> %lx\n", NtDeleteKey(*slot())); }

static void do_rename(void)
{
    /* Only to a place in front of all others: renaming a key to the place just before its next
     * sibling makes the host's server lose that one and crash later. */
    WCHAR n[64];
    swprintf(n, 64, rnd(12) ? L"!%05lu" : L"x\\%lu", 99999 - step % 100000);
    UNICODE_STRING u = text(n);
    NTSTATUS status = NtRenameKey(*slot(), &u);
    printf(" %s -> %lx\n", shown(n), status);
}

static uint64_t time_of(HANDLE key)
{
    ULONG used;
    if (NtQueryKey(key, 0, buffer, BUFFER, &used)) return 0;
    return *(uint64_t *)buffer;
}

/* Does a change of the key, or of one below it, show in its time? */
static void do_time(void)
{
    HANDLE *at = slot(), key = *at;
    UNICODE_STRING u = text(name());
    uint64_t before = time_of(key);
    ULONG value = rnd(3);

    Sleep(1);
    NTSTATUS status = NtSetValueKey(key, &u, 0, REG_DWORD, &value, sizeof value);
    printf(" %lx %d\n", status, before ? time_of(key) > before : -1);
}

static void do_close(void)
{
    HANDLE *at = slot();
    printf(" %d\n", *at != NULL);
    if (*at) NtClose(*at);
    *at = NULL;
}

static void do_flush(void) { printf(" -> %lx\n", NtFlushKey(*slot())); }

static const struct {
    const char *name;
    unsigned weight;
    void (*fn)(void);
} calls[] = {
    {"open", 18, do_open},
    {"create", 16, do_create},
    {"set", 16, do_set},
    {"unset", 5, do_delete_value},
    {"query", 12, do_query_value},
    {"enumv", 8, do_enumerate_value},
    {"enumk", 10, do_enumerate_key},
    {"info", 10, do_query_key},
    {"walk", 6, do_walk},
    {"delete", 5, do_delete_key},
    {"rename", 2, do_rename},
    {"time", 1, do_time},
    {"close", 3, do_close},
    {"flush", 1, do_flush},
};
#define CALLS (sizeof calls / sizeof *calls)

/* --- commands ------------------------------------------------------------------------------------ */

static HANDLE open_root(bool create)
{
    WCHAR full[600];
    OBJECT_ATTRIBUTES attr;
    HANDLE handle = NULL;

    swprintf(full, 600, L"\\Registry\\%ls", root);
    UNICODE_STRING u = text(full);
    InitializeObjectAttributes(&attr, &u, OBJ_CASE_INSENSITIVE | OPEN_LINK, NULL, NULL);
    NTSTATUS status = create ? NtCreateKey(&handle, KEY_ALL_ACCESS, &attr, 0, NULL, 0, NULL)
                             : NtOpenKey(&handle, KEY_ALL_ACCESS, &attr);
    if (status) printf("root -> %lx\n", status);
    return handle;
}

static void fill(HANDLE key, int depth)
{
    for (uint32_t i = 0, n = rnd(7); i < n; i++) {
        UNICODE_STRING u = text(rnd(8) ? name() : L"");
        ULONG size = rnd(30);
        for (ULONG k = 0; k < size; k++)
            data[k] = (uint8_t)(i + k);
        NtSetValueKey(key, &u, 0, rnd(2) ? REG_BINARY : REG_SZ, data, size);
    }
    for (uint32_t i = 0, n = depth ? rnd(depth > 2 ? 12 : 5) : 0; i < n; i++) {
        UNICODE_STRING u = text(name());
        OBJECT_ATTRIBUTES attr;
        HANDLE child;
        InitializeObjectAttributes(&attr, &u, OBJ_CASE_INSENSITIVE, key, NULL);
        if (NtCreateKey(&child, KEY_ALL_ACCESS, &attr, 0, NULL, 0, NULL)) continue;
        fill(child, depth - 1);
        NtClose(child);
    }
}

static void dump(HANDLE key, int depth)
{
    ULONG used;

    for (ULONG i = 0; !NtEnumerateValueKey(key, i, 1, buffer, BUFFER, &used); i++)
        printf("%*s= %lu %x\n", depth, "", used, hash(buffer, used));
    for (ULONG i = 0;; i++) {
        OBJECT_ATTRIBUTES attr;
        HANDLE child;
        NTSTATUS status = NtEnumerateKey(key, i, 1, buffer, BUFFER, &used);
        if (status) {
            if (status != (NTSTATUS)0x8000001a) printf("%*s! %lx\n", depth, "", status);
            break;
        }
        ULONG len = ((ULONG *)buffer)[5];
        WCHAR child_name[300];
        memcpy(child_name, buffer + 24, len);
        child_name[len / 2] = 0;
        printf("%*s[%s] %x\n", depth, "", shown(child_name), hash(buffer + 8, used - 8));
        UNICODE_STRING u = text(child_name);
        InitializeObjectAttributes(&attr, &u, OBJ_CASE_INSENSITIVE | OPEN_LINK, key, NULL);
        status = NtOpenKeyEx(&child, KEY_READ, &attr, 0);
        if (status) {
            printf("%*s! open %lx\n", depth, "", status);
            continue;
        }
        status = NtQueryKey(child, 3, buffer, BUFFER, &used);
        printf("%*s: %lx %lu %x\n", depth, "", status, used, hash(buffer, used));
        memset(buffer, 0, 64);
        status = NtQueryKey(child, 2, buffer, BUFFER, &used);
        printf("%*s: %lx %lu %x\n", depth, "", status, used, hash(buffer + 8, used - 8));
        dump(child, depth + 1);
        NtClose(child);
    }
}

/* All there is, as one number: to find the call after which it differs. */
static uint32_t tree_hash(HANDLE key)
{
    ULONG used;
    uint32_t sum = 0;

    for (ULONG i = 0; !NtEnumerateValueKey(key, i, 1, buffer, BUFFER, &used); i++)
        sum = sum * 31 + hash(buffer, used);
    for (ULONG i = 0; !NtEnumerateKey(key, i, 1, buffer, BUFFER, &used); i++) {
        ULONG len = ((ULONG *)buffer)[5];
        WCHAR child_name[300];
        OBJECT_ATTRIBUTES attr;
        HANDLE child;
        memcpy(child_name, buffer + 24, len);
        UNICODE_STRING u = {(USHORT)len, (USHORT)len, child_name};
        sum = sum * 31 + hash(buffer + 8, used - 8);
        InitializeObjectAttributes(&attr, &u, OBJ_CASE_INSENSITIVE | OPEN_LINK, key, NULL);
        if (NtOpenKeyEx(&child, KEY_READ, &attr, 0)) continue;
        sum = sum * 31 + tree_hash(child);
        NtClose(child);
    }
    return sum;
}

static void clear(HANDLE key)
{
    ULONG used;

    while (!NtEnumerateKey(key, 0, 0, buffer, BUFFER, &used)) {
        ULONG len = ((ULONG *)buffer)[3];
        WCHAR child_name[300];
        OBJECT_ATTRIBUTES attr;
        HANDLE child;
        memcpy(child_name, buffer + 16, len);
        UNICODE_STRING u = {(USHORT)len, (USHORT)len, child_name};
        InitializeObjectAttributes(&attr, &u, OBJ_CASE_INSENSITIVE | OPEN_LINK, key, NULL);
        if (NtOpenKeyEx(&child, KEY_ALL_ACCESS, &attr, 0)) return;
        clear(child);
        NtClose(child);
    }
    NtDeleteKey(key);
}

int main(int argc, char **argv)
{
    unsigned total = 0;

    if (argc < 3) {
        fprintf(stderr, "usage: reg_random KEY fill SEED | run SEED COUNT | dump | clear\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    swprintf(root, 512, L"%hs", argv[1]);
    state = argc > 3 ? strtoull(argv[3], NULL, 10) * 7919 : 1;
    volatiles = state & 1;
    bool runs = !strcmp(argv[2], "run"), fills = !strcmp(argv[2], "fill");
    /* the calls know the key below KEY, which they may rename and delete, too */
    HANDLE key = open_root(fills);
    if (runs || fills) {
        wcscat(root, L"\\Top");
        if (key) NtClose(key);
        key = open_root(true);
    }
    if (fills && key) {
        fill(key, 4);
    } else if (!strcmp(argv[2], "dump") && key) {
        dump(key, 0);
    } else if (!strcmp(argv[2], "clear") && key) {
        clear(key);
    } else if (runs && argc > 4) {
        handles[0] = key;
        for (size_t i = 0; i < CALLS; i++)
            total += calls[i].weight;
        for (unsigned long count = strtoul(argv[4], NULL, 10); step < count; step++) {
            unsigned r = rnd(total);
            size_t i = 0;
            while (r >= calls[i].weight)
                r -= calls[i++].weight;
            /* the way back to the root is never lost */
            if (!handles[0]) handles[0] = open_root(true);
            printf("%lu %s", step, calls[i].name);
            calls[i].fn();
            if (argc > 5) { /* for the search of a difference */
                HANDLE all = open_root(false);
                printf("  tree %x\n", all ? tree_hash(all) : 0);
                if (all) NtClose(all);
                fflush(stdout);
            }
        }
    }
    fflush(stdout);
    return 0;
}
