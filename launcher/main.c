/* fvm: feather-weight virtual machines for Windows programs. */
#include <getopt.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "verbs/verbs.h"

static const struct verb *const verbs[] = {
    &verb_run, &verb_create, &verb_ls,    &verb_inspect, &verb_diff,
    &verb_cp,  &verb_rm,     &verb_check, &verb_events,  &verb_reg, &verb_clip,
};
#define VERB_COUNT (sizeof verbs / sizeof *verbs)

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (!strcmp(verbs[i]->name, name)) return verbs[i];
    return NULL;
}

static void print_commands(FILE *out)
{
    fputs("Runs Windows programs in feather-weight virtual machines.\n"
          "\n"
          "Usage: fvm COMMAND [ARGUMENTS]\n"
          "\n"
          "Commands:\n",
          out);
    for (size_t i = 0; i < VERB_COUNT; i++)
        fprintf(out, "  %-9s %s\n", verbs[i]->name, verbs[i]->summary);
    fputs("  help      Explain a command: fvm help COMMAND\n"
          "\n"
          "Examples:\n"
          "  fvm run --rm -- cmd /c ver           a VM for one program, thrown away after it\n"
          "  fvm create dev                       a VM that stays\n"
          "  fvm run dev -- 'C:\\tools\\setup.exe'  what it changes is in the VM only\n"
          "  fvm diff dev                         what has changed\n"
          "\n"
          "Environment:\n"
          "  FVM_HOME  where base and VMs are kept (default: ~/.local/share/fvm)\n"
          "  FVM_BASE  Wine prefix to use as base for new VMs (default: one that fvm makes)\n"
          "  FVM_WARM  seconds for which Wine stays loaded after the last program (default: 60)\n",
          out);
}

static void print_help(const struct verb *v)
{
    printf("%s.\n\nUsage: fvm %s %s\n%s%s", v->summary, v->name, v->arguments, *v->help ? "\n" : "",
           v->help);
}

int verb_bad_option(char **argv, int c, int optopt_char, struct err **err)
{
    const char *given = argv[optind - 1];
    if (c == ':') {
        if (optopt_char && given[0] == '-' && given[1] != '-')
            return err_usage(err, "option -%c of fvm %s needs a value", optopt_char, argv[0]);
        return err_usage(err, "option %s of fvm %s needs a value", given, argv[0]);
    }
    if (optopt_char) return err_usage(err, "fvm %s has no option -%c", argv[0], optopt_char);
    return err_usage(err, "fvm %s has no option %s", argv[0], given);
}

int verb_count(int argc, int index, int min, int max, struct err **err)
{
    if (argc - index < min) return err_usage(err, "an argument is missing");
    if (max >= 0 && argc - index > max) return err_usage(err, "there are too many arguments");
    return 0;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) return true;
    return false;
}

static int fail(struct err **err, const struct verb *verb)
{
    err_print(*err);
    if ((*err)->exit_code == EXIT_CODE_USAGE && verb)
        fprintf(stderr, "     usage: fvm %s %s\n", verb->name, verb->arguments);
    int code = (*err)->exit_code;
    err_free(err);
    return code;
}

static int help(int argc, char **argv)
{
    if (argc < 2) {
        print_commands(stdout);
        return EXIT_CODE_OK;
    }
    const struct verb *v = find_verb(argv[1]);
    if (v) {
        print_help(v);
        return EXIT_CODE_OK;
    }
    fprintf(stderr, "fvm: there is no command %s\n     `fvm help` lists them\n", argv[1]);
    return EXIT_CODE_USAGE;
}

/* Output that could not be written is a failure too (a full disk behind a redirection). */
static int finish(int code)
{
    if ((fflush(stdout) || ferror(stdout)) && !code) {
        fprintf(stderr, "fvm: cannot write the output\n");
        return EXIT_CODE_FAILED;
    }
    return code;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_commands(stderr);
        return EXIT_CODE_USAGE;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--version") || !strcmp(name, "version")) {
        puts("fvm " FVM_VERSION);
        return finish(EXIT_CODE_OK);
    }
    if (!strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h"))
        return finish(help(argc - 1, argv + 1));

    const struct verb *verb = find_verb(name);
    if (!verb) {
        fprintf(stderr, "fvm: there is no command %s\n     `fvm help` lists them\n", name);
        return EXIT_CODE_USAGE;
    }
    argc--;
    argv++;
    if (wants_help(argc, argv)) {
        print_help(verb);
        return finish(EXIT_CODE_OK);
    }
    struct err *err = NULL;
    opterr = 0;
    int code = verb->run(argc, argv, &err);
    return finish(code < 0 ? fail(&err, verb) : code);
}
