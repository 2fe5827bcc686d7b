/* Counted time: two runs are the same to the last byte, whatever the host does meanwhile, and on both engines. */
#include "hypervisor.h"
#include "boards/i440fx.h"
#include "tests/support/block_fault.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

/* A boot sector: reads 8 sectors of each of 100 cylinders through the BIOS, says K, then lets the timer tick. */
static const uint8_t boot[] = {
    0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x7c, 0xbd, 0x64, 0x00,    /* segments 0; sp, 7C00h; bp, 100 */
    0xb8, 0x08, 0x02, 0xbb, 0x00, 0x80, 0x89, 0xe9, 0x88, 0xcd, 0xb1, 0x01, 0xba, 0x80, 0x00, 0xcd, 0x13, 0x72, 0x09,
    0x4d, 0x75, 0xea,                                                                      /* int 13h; jc; dec bp; jnz */
    0xba, 0xe9, 0x00, 0xb0, 'K', 0xee, 0xfb, 0xf4, 0xeb, 0xfc,                             /* out E9h, 'K'; sti; hlt; jmp */
};
enum { DISK = 64 << 20, END_S = 6, PORT = 0xe9 };
struct run { struct machine *machine; struct stream state; uint64_t instructions; int64_t said; };

static void debug(void *ui, uint16_t port, uint8_t byte)
{
    struct run *r = ui;
    if (port == PORT && byte == 'K')
        r->said = clock_now(&r->machine->clock);
}

/* slow: each access to the disk takes up to that many microseconds of the host's time. */
static struct run run(const char *engine, unsigned slow, const char *setting)
{
    struct run r = { 0 };
    struct host host = { .ui = &r, .debug = debug };
    struct error err = { 0 };
    struct fault_disk *disk = fault_disk_new();
    struct profile *profile = profile_new();
    *disk = (struct fault_disk){ .now = malloc(DISK), .durable = calloc(1, DISK), .size = DISK, .durable_size = DISK, .room = DISK,
                                 .delay_us = slow };
    for (size_t at = 0; at < DISK; at++)
        disk->now[at] = (uint8_t)(at * 7 + at / 512);
    memcpy(disk->now, boot, sizeof(boot));
    disk->now[510] = 0x55, disk->now[511] = 0xaa;
    cr_assert(profile_set_text(profile, "cpu.icount=50M", &err) && profile_set_text(profile, setting, &err), "%s", err.text);
    struct machine_config config = { .profile = profile, .engine = engine, .debug_port = PORT, .disk[0].block = block_open_fault(disk) };
    r.machine = machine_create(&config, &host, &err);
    cr_assert_not_null(r.machine, "%s", err.text);
    cr_assert_eq(machine_run(r.machine, END_S * NS_PER_S), STOP_PAUSED);
    cr_assert(machine_save(r.machine, &r.state, &err), "%s", err.text);
    r.instructions = cpu_of(r.machine->cpus[0])->instructions;
    machine_free(r.machine);
    profile_free(profile);
    fault_disk_free(disk);
    cr_assert(r.said, "%s: the boot sector did not come to its end", engine);
    return r;
}

static void same(struct run *a, struct run *b, const char *what)
{
    cr_assert_eq(a->said, b->said, "%s: K said at %lld and %lld ns", what, (long long)a->said, (long long)b->said);
    cr_assert_eq(a->instructions, b->instructions, "%s: %llu and %llu instructions", what, (unsigned long long)a->instructions,
                 (unsigned long long)b->instructions);
    cr_assert_eq(a->state.length, b->state.length, "%s", what);
    cr_assert(!memcmp(a->state.bytes, b->state.bytes, a->state.length), "%s: RAM or a device differs", what);
    stream_free(&b->state);
}

static atomic_bool enough;
static void *burn(void *arg)
{
    while (!atomic_load(&enough))
        ;
    return arg;
}

Test(counted, the_same_twice_whatever_the_host_does, .timeout = 300)
{
    pthread_t load[3];
    struct run first = run("translator", 0, "machine.memory=32M"), again;
    for (unsigned n = 0; n < 3; n++)
        pthread_create(&load[n], NULL, burn, NULL);
    again = run("translator", 3000, "machine.memory=32M");
    same(&first, &again, "a busy host and a slow disk");
    atomic_store(&enough, true);
    for (unsigned n = 0; n < 3; n++)
        pthread_join(load[n], NULL);
    again = run("interpreter", 500, "machine.memory=32M");
    same(&first, &again, "interpreter");
    stream_free(&first.state);
}

Test(counted, a_disk_takes_the_guest_time_that_is_set, .timeout = 300)
{
    struct run fast = run("interpreter", 0, "machine.disk-latency=0"), usual = run("interpreter", 0, "machine.memory=128M"),
               slow = run("interpreter", 0, "machine.disk-latency=10ms");
    cr_assert_geq(usual.said - fast.said, 100 * 190000ll, "%lld", (long long)(usual.said - fast.said));
    cr_assert_geq(slow.said - usual.said, 100 * 9700000ll, "%lld", (long long)(slow.said - usual.said));
    cr_assert_leq(slow.said - usual.said, 200 * 9800000ll, "at most twice a read: %lld", (long long)(slow.said - usual.said));
    stream_free(&fast.state);
    stream_free(&usual.state);
    stream_free(&slow.state);
}
