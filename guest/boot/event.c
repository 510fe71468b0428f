/* The VM's event log: one JSON object per line. */
#include "guest_boot.h"
#include "fvm/utf.h"

struct text {
    char *at;
    size_t len, cap;
};

static void put(struct text *t, const char *s, size_t n)
{
    if (n > t->cap - t->len) n = t->cap - t->len;
    memcpy(t->at + t->len, s, n);
    t->len += n;
}

static void put_str(struct text *t, const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    put(t, s, n);
}

static void put_number(struct text *t, uint64_t value, unsigned width)
{
    char digits[20];
    unsigned n = 0;

    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value || n < width);
    while (n)
        put(t, &digits[--n], 1);
}

static void put_escape(struct text *t, uint32_t c)
{
    static const char hex[] = "0123456789abcdef";
    char esc[6] = {'\\',       'u', hex[(c >> 12) & 15], hex[(c >> 8) & 15], hex[(c >> 4) & 15],
                   hex[c & 15]};

    if (c == '"' || c == '\\') {
        esc[1] = (char)c;
        put(t, esc, 2);
    } else {
        put(t, esc, 6);
    }
}

/* A JSON string. Unpaired surrogates, which UTF-8 cannot hold, are written as \uXXXX. */
static void put_json(struct text *t, const fvm_wchar *s, size_t len)
{
    put_str(t, "\"");
    for (size_t i = 0; i < len && t->len + 64 < t->cap; i++) {
        fvm_wchar c = s[i];
        bool pair =
            c >= 0xd800 && c < 0xdc00 && i + 1 < len && s[i + 1] >= 0xdc00 && s[i + 1] < 0xe000;

        if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f ||
            (c >= 0xd800 && c < 0xe000 && !pair)) {
            put_escape(t, c);
        } else {
            char utf8[4];

            put(t, utf8, fvm_utf16_to_utf8(s + i, pair ? 2 : 1, utf8, sizeof(utf8)));
            i += pair;
        }
    }
    put_str(t, "\"");
}

static void put_json_ascii(struct text *t, const char *s)
{
    put_str(t, "\"");
    for (; *s && t->len + 64 < t->cap; s++) {
        if ((uint8_t)*s < 0x20 || *s == '"' || *s == '\\')
            put_escape(t, (uint8_t)*s);
        else
            put(t, s, 1);
    }
    put_str(t, "\"");
}

/* NT time (100 ns since 1601, UTC) as ISO 8601 with milliseconds. */
static void put_time(struct text *t, uint64_t nt)
{
    uint64_t ms = nt / 10000, s = ms / 1000, days = s / 86400;
    /* Days from 1601-01-01 counted from 1600-03-01, so that leap days end a year. */
    uint64_t d = days + 306, era = d / 146097, doe = d % 146097;
    uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    uint64_t day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
    uint64_t year = 1600 + era * 400 + yoe + (month <= 2);

    put_number(t, year, 4);
    put_str(t, "-");
    put_number(t, month, 2);
    put_str(t, "-");
    put_number(t, day, 2);
    put_str(t, "T");
    put_number(t, s / 3600 % 24, 2);
    put_str(t, ":");
    put_number(t, s / 60 % 60, 2);
    put_str(t, ":");
    put_number(t, s % 60, 2);
    put_str(t, ".");
    put_number(t, ms % 1000, 3);
    put_str(t, "Z");
}

/* Appends the line to the log. The host has no atomic append: a byte lock, which dies with
 * its process, orders the writers of all processes. */
static void append(const char *line, size_t len)
{
    struct fvm_shared_path *path = &guest_shared->events;
    UNICODE_STRING name = {(USHORT)(path->len * 2), (USHORT)(path->len * 2), (WCHAR *)path->text};
    OBJECT_ATTRIBUTES attr;
    IO_STATUS_BLOCK io;
    HANDLE file;
    LARGE_INTEGER first = {.QuadPart = 0x7fffffff00000000}, one = {.QuadPart = 1};
    LARGE_INTEGER end = {.LowPart = 0xffffffff, .HighPart = -1};

    InitializeObjectAttributes(&attr, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    if (guest_raw.create_file(
            &file, FILE_APPEND_DATA | FILE_READ_DATA | SYNCHRONIZE, &attr, &io, NULL,
            FILE_ATTRIBUTE_NORMAL, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
            3 /* FILE_OPEN_IF */, 0x20 /* FILE_SYNCHRONOUS_IO_NONALERT */, NULL, 0) < 0)
        return;
    /* Wine knows the call without a status block only, Windows only the one with it */
    if (guest_raw.lock_file(file, NULL, NULL, NULL, NULL, &first, &one, NULL, FALSE, TRUE) >= 0 ||
        guest_raw.lock_file(file, NULL, NULL, NULL, &io, &first, &one, NULL, FALSE, TRUE) >= 0)
        guest_raw.write_file(file, NULL, NULL, NULL, &io, line, (ULONG)len, &end, NULL);
    guest_raw.close(file);
}

void guest_event(const char *kind, const char *call, struct fvm_wstr name, const char *why)
{
    struct text t = {guest_scratch_get(), 0, GUEST_SCRATCH_SIZE};
    const struct nt_process_parameters *params = nt_peb()->parameters;
    LARGE_INTEGER now = {0};

    if (guest_shared) __atomic_fetch_add(&guest_shared->event_count, 1, __ATOMIC_RELAXED);
    if (t.at && guest_shared && guest_shared->events.len) {
        guest_raw.query_system_time(&now);
        put_str(&t, "{\"time\":\"");
        put_time(&t, (uint64_t)now.QuadPart);
        put_str(&t, "\",\"pid\":");
        put_number(&t, nt_process_id(), 1);
        put_str(&t, ",\"image\":");
        if (params && params->image_path.Buffer)
            put_json(&t, (const fvm_wchar *)params->image_path.Buffer,
                     params->image_path.Length / 2);
        else
            put_str(&t, "\"\"");
        put_str(&t, ",\"kind\":");
        put_json_ascii(&t, kind);
        put_str(&t, ",\"call\":");
        put_json_ascii(&t, call);
        put_str(&t, ",\"name\":");
        put_json(&t, name.ptr, name.len);
        put_str(&t, ",\"why\":");
        put_json_ascii(&t, why);
        put_str(&t, "}\n");
        append(t.at, t.len);
    }
    guest_scratch_put(t.at);
}
