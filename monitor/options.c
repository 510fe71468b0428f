/* The command line:
 *
 *   fvm-monitor.exe --shared PATH --guest PATH [--cwd PATH] [--title] -- PROGRAM ARGUMENTS...
 *
 * PATHs are Unix paths of the machine (or Windows paths): of the shared block's file, of
 * fvmguest.dll, and of the program's working directory (as a rule the monitor's own, which
 * Wine takes from the calling shell). PROGRAM is a Windows path, a Unix path (starts with
 * a slash), a relative path, or a bare name. What follows it is handed on to the character,
 * with the quoting that Wine gave it. */
#include "monitor.h"

/* Reads one word as CommandLineToArgvW does; *line moves behind it. */
static wchar_t *next_word(const wchar_t **line)
{
    const wchar_t *p = *line;
    wchar_t *word, *out;
    bool quoted = false;

    while (*p == ' ' || *p == '\t')
        p++;
    if (!*p) {
        *line = p;
        return NULL;
    }
    word = out = allocate(((size_t)lstrlenW(p) + 1) * sizeof(wchar_t));
    while (*p && (quoted || (*p != ' ' && *p != '\t'))) {
        unsigned slashes = 0;

        while (*p == '\\') {
            slashes++;
            p++;
        }
        if (*p != '"') {
            while (slashes--)
                *out++ = '\\';
            if (*p && (quoted || (*p != ' ' && *p != '\t'))) *out++ = *p++;
            continue;
        }
        for (unsigned i = 0; i < slashes / 2; i++)
            *out++ = '\\';
        if (slashes & 1) {
            *out++ = '"';
        } else if (quoted && p[1] == '"') {
            *out++ = '"';
            p++;
        } else {
            quoted = !quoted;
        }
        p++;
    }
    *out = 0;
    *line = p;
    return word;
}

void options_read(struct options *o)
{
    const wchar_t *line = GetCommandLineW();
    wchar_t *word;

    release(next_word(&line)); /* this program */
    while ((word = next_word(&line))) {
        if (!lstrcmpW(word, L"--clip-get") || !lstrcmpW(word, L"--clip-set"))
            clip_run(!lstrcmpW(word, L"--clip-set"));
        wchar_t **value = NULL;

        if (!lstrcmpW(word, L"--title")) {
            o->title = true;
            release(word);
            continue;
        }

        if (!lstrcmpW(word, L"--")) {
            release(word);
            o->program = next_word(&line);
            break;
        }
        if (!lstrcmpW(word, L"--shared"))
            value = &o->shared;
        else if (!lstrcmpW(word, L"--guest"))
            value = &o->guest;
        else if (!lstrcmpW(word, L"--cwd"))
            value = &o->cwd;
        if (!value)
            fail(EXIT_FVM, "fvm-monitor: unknown option %s (it is started by the fvm command)",
                 word);
        release(word);
        release(*value);
        *value = next_word(&line);
        if (!*value) fail(EXIT_FVM, "fvm-monitor: an option has no value");
    }
    if (!o->shared || !o->guest || !o->program)
        fail(EXIT_FVM, "fvm-monitor is started by the fvm command: try 'fvm run'");
    o->arguments = line;
}
