/* The guest store: names, imports that end well or badly, locks, renaming, removing; media of odd sizes. */
#include "console/library.h"
#include "console/session.h"
#include "hypervisor.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char home[] = "/tmp/holdover-store-XXXXXX";

static void setup(void)
{
    cr_assert(mkdtemp(home));
    setenv("HOLDOVER_HOME", home, 1);
}

static void teardown(void)
{
    char command[128];

    snprintf(command, sizeof(command), "chmod -R u+w %s; rm -rf %s", home, home);
    cr_assert(!system(command));
}

TestSuite(library, .init = setup, .fini = teardown);

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    cr_assert(f, "%s", path);
    fputs(text, f);
    fclose(f);
}

static void make_guest(const char *name)
{
    char path[PATH_MAX];
    struct guest g;
    struct error err;

    cr_assert(library_begin(&g, name, &err), "%s", err.text);
    cr_assert(qcow2_create(guest_path(&g, "disk0.qcow2", path), 1 << 20, NULL, NULL, &err), "%s", err.text);
    chmod(path, 0444);
    write_file(guest_path(&g, "guest.profile", path), "[profile]\ninherit = generic-dos\n");
    cr_assert(library_commit(&g, &err), "%s", err.text);
    guest_unlock(&g);
}

static unsigned count_entries(void)
{
    char command[128];
    unsigned n = 0;

    snprintf(command, sizeof(command), "ls -A %s | wc -l", home);
    FILE *f = popen(command, "r");
    cr_assert_eq(fscanf(f, "%u", &n), 1);
    pclose(f);
    return n;
}

Test(library, names)
{
    static const char *const good[] = { "a", "payroll", "Old-PC_2.0", "9" };
    static const char *const bad[] = { "", ".", "..", ".hidden", "a/b", "a b", "-x", "\u00fc", "a\nb",
                                       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
    struct error err;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_assert(library_name_valid(good[i], &err), "%s", err.text);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert(!library_name_valid(bad[i], &err), "%s", bad[i]);
}

Test(library, names_from_sources_are_valid_and_new)
{
    static const struct { const char *source, *name; } cases[] = {
        { "/dev/sdb", "sdb" }, { "-", "guest" }, { "dir/old disk (1).raw", "olddisk1" }, { "/x/.img", "img" }, { "\u00fc", "guest" },
        { "payroll.tar.raw", "payroll.tar" },
    };
    char name[80];
    struct error err;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert(library_name_free(cases[i].source, name, sizeof(name), &err), "%s", err.text);
        cr_assert_str_eq(name, cases[i].name);
    }
    make_guest("sdb");
    cr_assert(library_name_free("/dev/sdb", name, sizeof(name), &err));
    cr_assert_str_eq(name, "sdb-2");
}

Test(library, life)
{
    struct guest g, other;
    struct error err;
    char path[PATH_MAX], **names;

    names = library_list(&err);
    cr_assert_null(names[0]);
    library_list_free(names);
    cr_assert(!guest_find(&g, "payroll", &err));
    make_guest("payroll");
    make_guest("alpha");
    names = library_list(&err);
    cr_assert_str_eq(names[0], "alpha");
    cr_assert_str_eq(names[1], "payroll");
    cr_assert_null(names[2]);
    library_list_free(names);
    cr_assert(!library_begin(&other, "payroll", &err), "a name is given once");

    cr_assert(guest_find(&g, "payroll", &err) && guest_lock(&g, &err), "%s", err.text);
    cr_assert(!guest_rename(&g, "alpha", &err));
    cr_assert(!guest_rename(&g, "../x", &err));
    cr_assert(guest_rename(&g, "wages", &err), "%s", err.text);
    guest_unlock(&g);
    cr_assert(!guest_find(&g, "payroll", &err));
    cr_assert(guest_find(&g, "wages", &err));
    cr_assert(guest_bytes(&g) > 0);

    cr_assert(guest_lock(&g, &err) && guest_layers(&g, &err), "%s", err.text);
    cr_assert(!access(guest_path(&g, "layers/current.qcow2", path), R_OK));
    struct block *b = block_open_qcow2(path, 0, &err);
    cr_assert(b, "%s", err.text);
    cr_assert_eq(b->size, 1 << 20);
    cr_assert_eq(block_write(b, 0, "hello", 5), 0);
    block_close(b);
    cr_assert(guest_layers(&g, &err), "an existing layer stays");
    cr_assert(guest_remove(&g, &err), "%s", err.text);
    guest_unlock(&g);
    cr_assert(!guest_find(&g, "wages", &err));
    cr_assert_eq(count_entries(), 1, "nothing but alpha is left");
}

Test(library, two_processes_never_have_one_guest)
{
    struct guest g, mine;
    struct error err;
    char byte;
    int status, ready[2];

    make_guest("one");
    cr_assert(guest_find(&g, "one", &err));
    cr_assert_eq(guest_running(&g), 0);
    cr_assert(!pipe(ready));
    pid_t child = fork();
    if (!child) {
        bool ok = guest_lock(&g, &err);
        ok &= write(ready[1], "x", 1) == 1;
        pause();
        _exit(!ok);
    }
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    cr_assert_eq(guest_running(&g), child);
    cr_assert(guest_find(&mine, "one", &err));
    cr_assert(!guest_lock(&mine, &err));
    char number[32];
    snprintf(number, sizeof(number), "process %d", (int)child);
    cr_assert(strstr(err.text, number), "%s", err.text);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    cr_assert_eq(guest_running(&g), 0, "a lock does not outlive its process");
    cr_assert(guest_lock(&mine, &err), "%s", err.text);
    guest_unlock(&mine);
}

Test(library, failed_and_killed_imports_leave_nothing)
{
    struct guest g;
    struct error err;
    char path[PATH_MAX];

    cr_assert(library_begin(&g, "half", &err));
    write_file(guest_path(&g, "disk0.qcow2", path), "x");
    library_discard(&g);
    cr_assert_eq(count_entries(), 0);

    pid_t child = fork();
    if (!child)
        _exit(!library_begin(&g, "killed", &err));      /* dies without an end to its import */
    waitpid(child, NULL, 0);
    cr_assert_eq(count_entries(), 1);
    char **names = library_list(&err);
    cr_assert_null(names[0], "what is half made is not listed");
    library_list_free(names);
    make_guest("next");
    cr_assert_eq(count_entries(), 1, "the next import sweeps up");
}

Test(library, import_under_way_is_not_swept)
{
    struct guest first, second;
    struct error err;

    cr_assert(library_begin(&first, "first", &err));
    cr_assert(library_begin(&second, "second", &err));
    cr_assert_eq(access(first.folder, F_OK), 0);
    library_discard(&first);
    library_discard(&second);
}

/* --- media ----------------------------------------------------------------------------------------------------------- */

static struct block *medium(size_t size, unsigned total_sectors, const char *suffix, struct error *err)
{
    char path[PATH_MAX];
    uint8_t boot[512] = { 0 };
    FILE *f;

    snprintf(path, sizeof(path), "%s/medium.img", home);
    f = fopen(path, "w");
    le16_put(boot + 11, total_sectors ? 512 : 0);
    le16_put(boot + 19, (uint16_t)total_sectors);
    fwrite(boot, 1, size < 512 ? size : 512, f);
    cr_assert(!ftruncate(fileno(f), (off_t)size));
    fclose(f);
    strcat(path, suffix);
    return setup_medium(path, MEDIUM_FLOPPY, err);
}

Test(library, floppies_of_odd_size_become_a_format)
{
    static const struct { size_t size; unsigned sectors; uint64_t becomes; } cases[] = {
        { 163840, 0, 163840 }, { 368640, 0, 368640 }, { 1228800, 0, 1228800 }, { 1474560, 0, 1474560 }, { 2949120, 0, 2949120 },
        { 512, 0, 1474560 }, { 1000, 0, 1474560 }, { 1474561, 0, 2949120 }, { 300000, 720, 368640 }, { 1000000, 2400, 1228800 },
        { 700000, 1440, 737280 }, { 1000000, 2880, 1474560 }, { 1000000, 720, 1474560 },
    };
    struct error err;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct block *b = medium(cases[i].size, cases[i].sectors, "", &err);
        cr_assert(b, "%s", err.text);
        cr_assert_eq(b->size, cases[i].becomes, "%zu bytes became %llu", cases[i].size, (unsigned long long)b->size);
        cr_assert_eq(block_write(b, 0, "x", 1), 0, "changes are kept until the end");
        block_close(b);
    }
    cr_assert_null(medium(0, 0, "", &err));
    cr_assert_null(medium(2949121, 0, "", &err));
    cr_assert(strstr(err.text, "larger"), "%s", err.text);
}

Test(library, only_rw_writes_the_file)
{
    char path[PATH_MAX], byte = 0;
    struct error err;

    for (int rw = 0; rw < 2; rw++) {
        struct block *b = medium(1474560, 0, rw ? ",rw" : "", &err);
        cr_assert(b, "%s", err.text);
        cr_assert_eq(block_write(b, 1000, "x", 1), 0);
        cr_assert_eq(block_flush(b), 0);
        block_close(b);
        snprintf(path, sizeof(path), "%s/medium.img", home);
        FILE *f = fopen(path, "r");
        fseek(f, 1000, SEEK_SET);
        cr_assert_eq(fread(&byte, 1, 1, f), 1);
        fclose(f);
        cr_assert_eq(byte, rw ? 'x' : 0);
    }
}
