/* A file workload that can be killed at any moment, and its checker.
 *
 *   crash_work make DIR           makes the tree that the workers start from
 *   crash_work start DIR SEED     starts the workers and waits for them
 *   crash_work check DIR          reads the log of a killed run from standard input and
 *                                 compares DIR with it
 *
 * Each worker has a tree of its own, and names of its own in a directory that all share.
 * It writes a line before each operation ("w0 B 17 rename a|b|") and one after it
 * ("w0 D 17"), each with a single call, to standard output, a file outside the VM. The
 * checker replays the lines in a model: what was done must be there and nothing else; the
 * one operation of each worker that has begun and not ended may have happened or not, and
 * only writing may have happened in part. */
#include "test.h"

#define WORKERS     3
#define DIRS        6
#define FILES       12
#define SHARED      8 /* files of each worker in the shared directory */
#define BIG         (512 * 1024)
#define MAX_OBJECTS 4096
#define NAME        120

/* --- the model ---------------------------------------------------------------------------- */

struct object {
    char name[NAME]; /* below DIR */
    bool directory;
    uint64_t size, hash;
};

struct model {
    int count;
    struct object objects[MAX_OBJECTS];
};

enum op {
    OP_CREATE,
    OP_OVERWRITE,
    OP_APPEND,
    OP_RENAME,
    OP_REPLACE,
    OP_DELETE,
    OP_MKDIR,
    OP_RMDIR,
    OP_RENAME_DIR,
    OPS
};
static const char *const op_names[OPS] = {"create", "overwrite", "append", "rename",   "replace",
                                          "delete", "mkdir",     "rmdir",  "renamedir"};

struct step {
    enum op op;
    char a[NAME], b[NAME]; /* names below DIR, or for b the text that is written */
};

#define FNV_START 0xcbf29ce484222325ull

static uint64_t fnv(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *p = data;

    while (size--)
        hash = (hash ^ *p++) * 0x100000001b3ull;
    return hash;
}

static struct object *find(struct model *m, const char *name)
{
    int i;

    for (i = 0; i < m->count; i++)
        if (!strcmp(m->objects[i].name, name)) return &m->objects[i];
    return NULL;
}

static struct object *add(struct model *m, const char *name, bool directory)
{
    struct object *o = find(m, name);

    if (!o) {
        if (m->count == MAX_OBJECTS) t_die("the model is full");
        o = &m->objects[m->count++];
        snprintf(o->name, NAME, "%s", name);
    }
    o->directory = directory;
    o->size = 0;
    o->hash = FNV_START;
    return o;
}

static void drop(struct model *m, const char *name)
{
    struct object *o = find(m, name);

    if (o) *o = m->objects[--m->count];
}

static void text_object(struct object *o, const char *text)
{
    o->hash = fnv(o->hash, text, strlen(text));
    o->size += strlen(text);
}

static bool below(const char *name, const char *dir)
{
    size_t len = strlen(dir);

    return !strncmp(name, dir, len) && name[len] == '\\';
}

static void apply(struct model *m, const struct step *s)
{
    struct object *o, copy;
    char moved[2 * NAME];
    int i;

    switch (s->op) {
    case OP_CREATE:
    case OP_OVERWRITE:
        text_object(add(m, s->a, false), s->b);
        break;
    case OP_APPEND:
        o = find(m, s->a);
        if (o) text_object(o, s->b);
        break;
    case OP_RENAME:
    case OP_REPLACE:
        o = find(m, s->a);
        if (!o) t_die("the log renames %s, which is not there", s->a);
        copy = *o;
        drop(m, s->a);
        o = add(m, s->b, false);
        o->size = copy.size;
        o->hash = copy.hash;
        break;
    case OP_DELETE:
    case OP_RMDIR:
        drop(m, s->a);
        break;
    case OP_MKDIR:
        add(m, s->a, true);
        break;
    case OP_RENAME_DIR:
        for (i = 0; i < m->count; i++) {
            o = &m->objects[i];
            if (strcmp(o->name, s->a) && !below(o->name, s->a)) continue;
            snprintf(moved, sizeof moved, "%s%s", s->b, o->name + strlen(s->a));
            snprintf(o->name, NAME, "%.*s", NAME - 1, moved);
        }
        break;
    default:
        break;
    }
}

static char *big_text(void)
{
    char *text = malloc(BIG + 1);
    int i;

    if (!text) t_die("no memory");
    for (i = 0; i < BIG / 8; i++)
        sprintf(text + i * 8, "%07d\n", i);
    return text;
}

/* What worker w starts from; with make the objects are also made. */
static void start_state(struct model *m, int w, bool make)
{
    static char *big;
    char name[NAME], text[NAME];
    int d, f;

    if (!big) big = big_text();
    sprintf(name, "w%d", w);
    add(m, name, true);
    if (make) CreateDirectoryW(t_dos("%s", name), NULL);
    for (d = 0; d < DIRS; d++) {
        sprintf(name, "w%d\\d%d", w, d);
        add(m, name, true);
        if (make) CreateDirectoryW(t_dos("%s", name), NULL);
        for (f = 0; f < FILES; f++) {
            sprintf(name, "w%d\\d%d\\f%02d", w, d, f);
            sprintf(text, "base w%d d%d f%d\n", w, d, f);
            text_object(add(m, name, false), f ? text : big);
            if (make) t_put(t_dos("%s", name), f ? text : big);
        }
    }
    for (f = 0; f < SHARED; f++) {
        sprintf(name, "shared\\w%d_b%d", w, f);
        sprintf(text, "shared w%d f%d\n", w, f);
        text_object(add(m, name, false), text);
        if (make) t_put(t_dos("%s", name), text);
    }
}

/* --- a worker --------------------------------------------------------------------------------- */

static uint64_t seed;

static int rnd(int bound)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (int)((seed >> 33) % (unsigned)bound);
}

static void emit(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void emit(const char *fmt, ...)
{
    char line[4 * NAME];
    DWORD done;
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), line, (DWORD)len, &done, NULL);
}

static struct object *any(struct model *m, bool directory)
{
    int i, start = rnd(m->count);

    for (i = 0; i < m->count; i++) {
        struct object *o = &m->objects[(start + i) % m->count];

        /* the worker's root stays */
        if (o->directory == directory && strchr(o->name, '\\')) return o;
    }
    return NULL;
}

static bool empty(struct model *m, const char *dir)
{
    int i;

    for (i = 0; i < m->count; i++)
        if (below(m->objects[i].name, dir)) return false;
    return true;
}

/* A directory to make something in; often the shared one. */
static void fresh_name(struct model *m, int w, unsigned number, char *name)
{
    struct object *dir = any(m, true);

    if (rnd(4) == 0)
        snprintf(name, NAME, "shared\\w%d_n%u", w, number);
    else if (dir && strlen(dir->name) < 60)
        snprintf(name, NAME, "%s\\n%u", dir->name, number);
    else
        snprintf(name, NAME, "w%d\\n%u", w, number);
}

static size_t longest_below(struct model *m, const char *dir)
{
    size_t longest = strlen(dir), len;
    int i;

    for (i = 0; i < m->count; i++) {
        len = strlen(m->objects[i].name);
        if (len > longest && below(m->objects[i].name, dir)) longest = len;
    }
    return longest;
}

/* Decides what is done next; false when that cannot be done now. */
static bool choose(struct model *m, int w, unsigned number, struct step *s)
{
    struct object *o, *other;
    char name[NAME];

    memset(s, 0, sizeof *s);
    s->op = (enum op)rnd(OPS);
    switch (s->op) {
    case OP_CREATE:
        if (m->count > MAX_OBJECTS / 2) return false;
        fresh_name(m, w, number, s->a);
        snprintf(s->b, NAME, "created by w%d in %u\n", w, number);
        return true;
    case OP_OVERWRITE:
    case OP_APPEND:
    case OP_DELETE:
        o = any(m, false);
        if (!o) return false;
        strcpy(s->a, o->name);
        if (s->op != OP_DELETE) snprintf(s->b, NAME, "written by w%d in %u\n", w, number);
        return true;
    case OP_RENAME:
    case OP_REPLACE:
        o = any(m, false);
        if (!o) return false;
        strcpy(s->a, o->name);
        if (s->op == OP_RENAME) {
            fresh_name(m, w, number, s->b);
            return true;
        }
        other = any(m, false);
        strcpy(s->b, other->name);
        return other != o;
    case OP_MKDIR:
        if (m->count > MAX_OBJECTS / 2) return false;
        fresh_name(m, w, number, name);
        if (!strncmp(name, "shared", 6)) return false;
        strcpy(s->a, name);
        return true;
    case OP_RMDIR:
        o = any(m, true);
        if (!o || !empty(m, o->name)) return false;
        strcpy(s->a, o->name);
        return true;
    case OP_RENAME_DIR:
        o = any(m, true);
        if (!o) return false;
        strcpy(s->a, o->name);
        fresh_name(m, w, number, s->b);
        return strncmp(s->b, "shared", 6) && !below(s->b, s->a) &&
               longest_below(m, s->a) - strlen(s->a) + strlen(s->b) < NAME - 1;
    default:
        return false;
    }
}

static BOOL write_file(const char *name, const char *text, DWORD access, DWORD disposition)
{
    HANDLE h = CreateFileW(t_dos("%s", name), access, T_ALL_SHARE, NULL, disposition, 0, NULL);
    DWORD done;
    BOOL ok;

    if (h == INVALID_HANDLE_VALUE) return FALSE;
    ok = WriteFile(h, text, (DWORD)strlen(text), &done, NULL);
    CloseHandle(h);
    return ok;
}

static BOOL perform(const struct step *s)
{
    switch (s->op) {
    case OP_CREATE:
        return write_file(s->a, s->b, GENERIC_WRITE, CREATE_NEW);
    case OP_OVERWRITE:
        return write_file(s->a, s->b, GENERIC_WRITE, CREATE_ALWAYS);
    case OP_APPEND:
        return write_file(s->a, s->b, FILE_APPEND_DATA, OPEN_EXISTING);
    case OP_RENAME:
    case OP_RENAME_DIR:
        return MoveFileW(t_dos("%s", s->a), t_dos("%s", s->b));
    case OP_REPLACE:
        return MoveFileExW(t_dos("%s", s->a), t_dos("%s", s->b), MOVEFILE_REPLACE_EXISTING);
    case OP_DELETE:
        return DeleteFileW(t_dos("%s", s->a));
    case OP_MKDIR:
        return CreateDirectoryW(t_dos("%s", s->a), NULL);
    case OP_RMDIR:
        return RemoveDirectoryW(t_dos("%s", s->a));
    default:
        return FALSE;
    }
}

static int work(int w, uint64_t with_seed)
{
    struct model *m = calloc(1, sizeof *m);
    struct step s;
    unsigned number;

    if (!m) t_die("no memory");
    start_state(m, w, false);
    seed = with_seed * 2862933555777941757ull + (uint64_t)w * 3037000493ull;
    rnd(2);
    for (number = 0;; number++) {
        if (!choose(m, w, number, &s)) continue;
        emit("w%d B %u %s %s|%s|\n", w, number, op_names[s.op], s.a,
             s.op == OP_CREATE || s.op == OP_OVERWRITE || s.op == OP_APPEND ? "" : s.b);
        if (!perform(&s)) {
            emit("w%d F %u error %lu\n", w, number, GetLastError());
            return 9;
        }
        emit("w%d D %u\n", w, number);
        apply(m, &s);
    }
}

/* --- the checker -------------------------------------------------------------------------- */

static struct model *actual;

static void load(const char *rel)
{
    WIN32_FIND_DATAW data;
    WCHAR pattern[1000];
    char name[NAME * 2];
    HANDLE list;
    struct object *o;

    wcscpy(pattern, t_dos("%s", rel));
    wcscat(pattern, L"\\*");
    list = FindFirstFileW(pattern, &data);
    if (list == INVALID_HANDLE_VALUE) t_die("cannot list %s: %lu", rel, GetLastError());
    do {
        if (!wcscmp(data.cFileName, L".") || !wcscmp(data.cFileName, L"..")) continue;
        snprintf(name, sizeof name, "%s%s%s", rel, *rel ? "\\" : "", t_text(data.cFileName, -1));
        if (find(actual, name)) t_say("listed twice: %s", name);
        o = add(actual, name, (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0);
        if (o->directory) {
            load(name);
        } else {
            HANDLE h =
                CreateFileW(t_dos("%s", name), GENERIC_READ, 7, NULL, OPEN_EXISTING, 0, NULL);

            if (h == INVALID_HANDLE_VALUE) {
                t_say("cannot open %s: %lu", name, GetLastError());
                o->hash = 0;
                continue;
            }
            o->hash = t_hash_handle(h, &o->size);
            CloseHandle(h);
        }
    } while (FindNextFileW(list, &data));
    if (GetLastError() != ERROR_NO_MORE_FILES)
        t_die("listing of %s ends with %lu", rel, GetLastError());
    FindClose(list);
}

static bool owned(const char *name, int w)
{
    char own[20], shared[30];

    sprintf(own, "w%d", w);
    sprintf(shared, "shared\\w%d_", w);
    return !strcmp(name, own) || below(name, own) || !strncmp(name, shared, strlen(shared));
}

/* Number of differences between the model of worker w and what is there. Differences of
 * one name may be left out. */
static int differences(struct model *m, int w, const char *but, bool print)
{
    int i, wrong = 0;
    struct object *o;

    for (i = 0; i < m->count; i++) {
        const struct object *want = &m->objects[i];

        if (but && !strcmp(want->name, but)) continue;
        o = find(actual, want->name);
        if (o && o->directory == want->directory &&
            (o->directory || (o->size == want->size && o->hash == want->hash)))
            continue;
        wrong++;
        if (print && wrong <= 10)
            t_say("# w%d: %s %s", w, want->name,
                  !o                                ? "is missing"
                  : o->directory != want->directory ? "is of the wrong kind"
                                                    : "has the wrong content");
    }
    for (i = 0; i < actual->count; i++) {
        const struct object *have = &actual->objects[i];

        if (!owned(have->name, w) || (but && !strcmp(have->name, but)) || find(m, have->name))
            continue;
        wrong++;
        if (print && wrong <= 10) t_say("# w%d: %s is there and should not be", w, have->name);
    }
    return wrong;
}

/* Whether the file holds what an unfinished write may leave. */
static bool partly_written(struct model *before, const struct step *s, const char *text)
{
    const struct object *old = find(before, s->a), *now = find(actual, s->a);
    size_t len = strlen(text), i;
    uint64_t hash, size;

    if (!now) return !old;
    if (now->directory) return false;
    hash = s->op == OP_APPEND ? old->hash : FNV_START;
    size = s->op == OP_APPEND ? old->size : 0;
    for (i = 0; i <= len; i++) {
        if (now->size == size + i && now->hash == fnv(hash, text, i)) return true;
    }
    return old && now->size == old->size && now->hash == old->hash;
}

struct history {
    struct model *model;
    struct step pending;
    bool unfinished, failed;
    unsigned number, done;
};

static void replay(struct history *h, int w, const char *line)
{
    char kind, op[20], *text, *bar;
    unsigned number;
    struct step *s = &h->pending;
    int at = 0, i;

    if (sscanf(line, "w%*d %c %u%n", &kind, &number, &at) < 2)
        t_die("odd line in the log: %s", line);
    if (kind == 'F') {
        t_say("# the workload itself failed: %s", line);
        h->failed = true;
        h->unfinished = true;
        return;
    }
    if (kind == 'D') {
        if (!h->unfinished || number != h->number) t_die("the log is out of order: %s", line);
        apply(h->model, s);
        h->unfinished = false;
        h->done++;
        return;
    }
    if (sscanf(line + at, "%19s", op) != 1) t_die("odd line in the log: %s", line);
    for (i = 0; i < OPS && strcmp(op, op_names[i]); i++)
        ;
    text = strchr(line + at + 1, ' ');
    bar = text ? strchr(text, '|') : NULL;
    if (i == OPS || !bar || bar[strlen(bar) - 1] != '|') {
        /* the last line may be torn: the operation had not begun */
        h->unfinished = false;
        return;
    }
    memset(s, 0, sizeof *s);
    s->op = (enum op)i;
    snprintf(s->a, NAME, "%.*s", (int)(bar - text - 1), text + 1);
    snprintf(s->b, NAME, "%.*s", (int)strlen(bar) - 2, bar + 1);
    if (s->op == OP_CREATE)
        snprintf(s->b, NAME, "created by w%d in %u\n", w, number);
    else if (s->op == OP_OVERWRITE || s->op == OP_APPEND)
        snprintf(s->b, NAME, "written by w%d in %u\n", w, number);
    h->number = number;
    h->unfinished = true;
}

static int check(void)
{
    static struct history histories[WORKERS];
    char line[4 * NAME];
    int w, bad = 0;
    unsigned done = 0;

    actual = calloc(1, sizeof *actual);
    for (w = 0; w < WORKERS; w++) {
        histories[w].model = calloc(1, sizeof *actual);
        if (!actual || !histories[w].model) t_die("no memory");
        start_state(histories[w].model, w, false);
    }
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\r\n")] = 0;
        if (line[0] == 'w' && line[1] >= '0' && line[1] < '0' + WORKERS)
            replay(&histories[line[1] - '0'], line[1] - '0', line);
        else if (line[0])
            t_die("odd line in the log: %s", line);
    }
    load("");
    for (w = 0; w < WORKERS; w++) {
        struct history *h = &histories[w];
        struct model *after;

        done += h->done;
        if (h->failed) bad++;
        if (!differences(h->model, w, NULL, false)) continue;
        if (!h->unfinished) {
            bad += differences(h->model, w, NULL, true);
            continue;
        }
        after = malloc(sizeof *after);
        if (!after) t_die("no memory");
        *after = *h->model;
        apply(after, &h->pending);
        if (!differences(after, w, NULL, false)) {
            free(after);
            continue;
        }
        free(after);
        if ((h->pending.op == OP_CREATE || h->pending.op == OP_OVERWRITE ||
             h->pending.op == OP_APPEND) &&
            !differences(h->model, w, h->pending.a, false) &&
            partly_written(h->model, &h->pending, h->pending.b))
            continue;
        t_say("# w%d, killed in %s %s -> %s:", w, op_names[h->pending.op], h->pending.a,
              h->pending.b);
        bad += differences(h->model, w, NULL, true);
    }
    t_say("%u operations, %d wrong", done, bad);
    return bad ? 1 : 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    struct model *m;
    int w;

    if (argc < 3) t_die("usage: crash_work make|start|check DIR [SEED]");
    t_begin(argc - 1, argv + 1);
    if (!strcmp(what, "make")) {
        m = calloc(1, sizeof *m);
        if (!m) t_die("no memory");
        CreateDirectoryW(t_dos("shared"), NULL);
        for (w = 0; w < WORKERS; w++)
            start_state(m, w, true);
        return 0;
    }
    if (!strcmp(what, "check")) return check();
    if (argc > 4 && !strcmp(what, "work")) return work(atoi(argv[3]), strtoull(argv[4], NULL, 10));
    if (argc > 3 && !strcmp(what, "start")) {
        HANDLE children[WORKERS];

        for (w = 0; w < WORKERS; w++)
            children[w] = t_spawn_line("work \"%s\" %d %s", t_text(t_root, -1), w, argv[3]);
        for (w = 0; w < WORKERS; w++)
            t_wait(children[w]);
        return 0;
    }
    t_die("unknown: %s", what);
}
