#include "tests/support/files.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char folders[8][256];
static unsigned folder_count;
static pid_t owner;

static void remove_folders(void)
{
    for (unsigned i = 0; owner == getpid() && i < folder_count; i++)
        test_run("chmod -R u+w '%s'; rm -rf '%s'", folders[i], folders[i]);
}

char *test_folder(void)
{
    const char *base = getenv("TMPDIR");
    if (folder_count == sizeof(folders) / sizeof(folders[0]))
        abort();
    char *f = folders[folder_count];
    snprintf(f, sizeof(folders[0]), "%s/holdover-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(f))
        abort();
    if (!folder_count++) {
        owner = getpid();
        atexit(remove_folders);
    }
    return f;
}

char *test_path(const char *folder, const char *name)
{
    static char paths[256][512];
    static unsigned count;
    char *path = paths[count++ % 256];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

int test_run(const char *fmt, ...)
{
    char line[4096], all[4400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    snprintf(all, sizeof(all), "PATH=$PATH:/usr/sbin:/sbin; export MTOOLS_SKIP_CHECK=1; { %s\n} >/dev/null 2>&1", line);
    int status = system(all);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool test_program(const char *name)
{
    return !test_run("command -v %s", name);
}

void test_write(const char *path, const void *bytes, size_t length)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, length, f) != length || fclose(f))
        abort();
}

uint8_t *test_read(const char *path, size_t *length)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END))
        abort();
    *length = (size_t)ftell(f);
    rewind(f);
    uint8_t *bytes = malloc(*length + 1);
    if (fread(bytes, 1, *length, f) != *length || fclose(f))
        abort();
    return bytes;
}
