/* The PC's speaker: a cone that is in or out. Input SPEAKER_IN (port61.h) is its level; the sound is the
 * mean level over each sample, so that pulse-width tricks of games come out as the sound they meant.
 *
 * In a PC: driven by timer channel 2's OUT through bit 1 of port 61h. Samples go to the host every 20 ms
 * while there is something to hear, and for a quarter of a second after.
 *
 * References: none; a level has no datasheet.
 * Not modelled: the resonance of the case. */
#include "core/machine.h"

enum { RATE = 48000, CHUNK = 2048, FLUSH_NS = 20000000, SILENCE_NS = 250000000, VOLUME = 7000 };

struct speaker {
    struct device dev;
    struct timer flush;
    bool level;
    int64_t sample;                             /* number of the sample being made, since guest time 0 */
    int64_t done;                               /* guest time up to which the level went into samples */
    int64_t high;                               /* ns of high level inside this sample */
    int64_t moved;                              /* when the level last changed */
    int32_t last, filtered;                     /* a high pass: a resting cone is silent */
    unsigned frames;
    int16_t buffer[2 * CHUNK];
};

static int64_t sample_start(int64_t n)
{
    return muldiv(n, NS_PER_S, RATE);
}

static void speaker_flush(struct speaker *s)
{
    const struct host *host = s->dev.machine->host;
    if (s->frames && host->audio)
        host->audio(host->ui, s->buffer, s->frames, RATE);
    s->frames = 0;
}

static void speaker_sample(struct speaker *s, int64_t length)
{
    int32_t x = (int32_t)(s->high * VOLUME / length);
    s->filtered = x - s->last + s->filtered * 255 / 256;
    s->last = x;
    int16_t value = (int16_t)MAX(-32767, MIN(32767, s->filtered));
    s->buffer[2 * s->frames] = s->buffer[2 * s->frames + 1] = value;
    if (++s->frames == CHUNK)
        speaker_flush(s);
}

/* The level was as it is until now. */
static void speaker_advance(struct speaker *s, int64_t now)
{
    while (s->done < now) {
        int64_t end = sample_start(s->sample + 1), until = MIN(end, now);
        if (s->level)
            s->high += until - s->done;
        s->done = until;
        if (until < end)
            break;
        speaker_sample(s, end - sample_start(s->sample));
        s->sample++;
        s->high = 0;
    }
}

static void speaker_tick(void *chip)
{
    struct speaker *s = chip;
    struct clock *clock = &s->dev.machine->clock;
    int64_t now = clock_now(clock);
    if (now - s->done <= SILENCE_NS)            /* a host that was away for longer is not owed the sound */
        speaker_advance(s, now);
    speaker_flush(s);
    if (now - s->moved < SILENCE_NS && now - s->done <= SILENCE_NS)
        timer_at(clock, &s->flush, now + FLUSH_NS);
}

static void speaker_input(struct device *dev, unsigned pin, bool level)
{
    struct speaker *s = container_of(dev, struct speaker, dev);
    struct clock *clock = &dev->machine->clock;
    int64_t now = clock_now(clock);
    (void)pin;
    if (level == s->level)
        return;
    if (dev->machine->host->audio) {
        if (!timer_running(&s->flush)) {
            s->sample = muldiv(now, RATE, NS_PER_S);
            s->done = now;
            s->high = 0;
            s->last = s->level ? VOLUME : 0;
            s->filtered = 0;
            timer_at(clock, &s->flush, now + FLUSH_NS);
        }
        speaker_advance(s, now);
    }
    s->level = level;
    s->moved = now;
}

static bool speaker_init(struct device *dev, struct error *err)
{
    struct speaker *s = container_of(dev, struct speaker, dev);
    (void)err;
    timer_init(&s->flush, speaker_tick, s);
    return true;
}

/* What is half played is the host's, not the guest's: a restored machine starts a new sound. */
static bool speaker_restored(struct device *dev)
{
    struct speaker *s = container_of(dev, struct speaker, dev);
    timer_stop(&dev->machine->clock, &s->flush);
    s->frames = 0;
    return true;
}

static const struct state_field speaker_state[] = { FIELD(struct speaker, level), END };
const struct device_class speaker_class = {
    .name = "speaker", .summary = "PC speaker", .size = sizeof(struct speaker),
    .state = speaker_state, .state_version = 1, .init = speaker_init,
    .restored = speaker_restored, .input = speaker_input,
};
