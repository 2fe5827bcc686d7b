#include "console/steps.h"
#include "console/control.h"
#include "console/screen.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

/* --- steps ----------------------------------------------------------------------------------------------------------- */

bool steps_watch_screen(const struct session *s)
{
    return s->step < s->options->steps.count && (s->options->steps.items[s->step].kind == STEP_UNTIL ||
                                                      s->options->steps.items[s->step].kind == STEP_POINTER);
}

bool steps_all_met(const struct session *s)
{
    size_t count = s->options->steps.count;

    return count && s->step == count && s->options->steps.items[count - 1].kind == STEP_UNTIL;
}

const char *steps_unmet(const struct session *s)
{
    for (size_t i = s->step; i < s->options->steps.count; i++)
        if (s->options->steps.items[i].kind == STEP_UNTIL)
            return s->options->steps.items[i].text;
    return NULL;
}

bool steps_pointer(const struct step *step, int place[3], struct error *err)
{
    int end = 0;

    place[2] = 0;
    if (sscanf(step->text, "%5d,%5d%n,%1d%n", &place[0], &place[1], &end, &place[2], &end) >= 2 && !step->text[end] && place[2] >= 0 &&
        place[2] <= 7 && (step->kind == STEP_MOVE || (place[0] >= 0 && place[1] >= 0)))
        return true;
    return error_set(err, EINVAL, "--%s: write X,Y or X,Y,BUTTONS, as in 320,200,1, not '%s'",
                     step->kind == STEP_MOVE ? "move" : "pointer", step->text);
}

/* 0 to 65535 of `size` pixels, so that the guest's own scaling comes out at this one. */
static int scaled(unsigned pixel, unsigned size)
{
    return size > 1 ? (int)MIN(((uint64_t)pixel * 65535 + size - 2) / (size - 1), (uint64_t)65535) : 0;
}

/* A position waits until a driver takes some. */
static bool point(struct session *s, const struct step *step)
{
    struct display *d = &s->machine->display;
    unsigned width = 0, height = 0;
    struct error err;
    int place[3];

    if ((step->kind == STEP_POINTER && !machine_pointer_absolute(s->machine)) || !steps_pointer(step, place, &err))
        return false;
    machine_lock(s->machine);
    if (d->size)
        d->size(d->chip, &width, &height);
    machine_unlock(s->machine);
    typist_live(&s->typist, step->kind == STEP_MOVE ?
                (struct live_event){ LIVE_MOVE, .x = place[0], .y = place[1], .buttons = (unsigned)place[2] } :
                (struct live_event){ LIVE_AT, .x = scaled((unsigned)place[0], width), .y = scaled((unsigned)place[1], height),
                                     .buttons = (unsigned)place[2] });
    return true;
}

/* One step's try; true: done. */
static bool step_try(struct session *s, const struct step *step)
{
    struct key_script script = { 0 };
    struct error err;

    if (step->kind == STEP_UNTIL)
        return serial_has(&s->serial, step->text) || screen_has(s->machine, step->text);
    if (typist_busy(&s->typist))
        return false;
    if (step->kind == STEP_POINTER || step->kind == STEP_MOVE)
        return point(s, step);
    if (s->step_started)
        return true;
    if (step->kind == STEP_TYPE ? keys_from_text(&script, step->text, &err) : keys_from_name(&script, step->text, &err))
        typist_start(&s->typist, &script);
    s->step_started = true;
    return !typist_busy(&s->typist);
}

void steps_advance(struct session *s)
{
    const struct step_list *list = &s->options->steps;

    while (s->step < list->count && step_try(s, &list->items[s->step])) {
        s->step++;
        s->step_started = false;
    }
}

/* --- stop ------------------------------------------------------------------------------------------------------------ */

/* How long the power button alone may take before hands are laid on the keyboard. */
#define BUTTON_NS (20 * NS_PER_S)

static bool has_button(const struct session *s)
{
    const char *acpi = profile_get(s->profile, "machine", "acpi");
    struct profile_machine machine = { 0 };
    struct error err;
    bool on = true;

    if (acpi && profile_apply(s->profile, "machine", profile_machine_properties, &machine, &err)) {
        on = machine.acpi;
        property_free(profile_machine_properties, &machine);
    }
    return on && s->stop.power_button;
}

/* Ctrl-Alt-Del makes many a system shut down and then reset: while stopping, a reset is the end. */
static void reset_ends(struct session *s, bool ends)
{
    machine_lock(s->machine);
    s->machine->stop_on_reset = ends || s->options->no_reboot;
    machine_unlock(s->machine);
}

/* In counted time what comes when the host likes would make one run differ from the next. */
static bool takes_input(const struct session *s, struct error *err)
{
    return !s->counted || error_set(err, ENOTSUP, "%s runs in counted time: its only input is the steps of its command line; "
                                    "it can be ended by force", s->name);
}

bool session_stop(struct session *s, struct error *err)
{
    int64_t now = host_now(), timeout = s->stop.timeout * NS_PER_S;
    bool button = has_button(s), hands = *s->stop.keys || *s->stop.text;

    if (s->stopping != STOPPING_NOT && s->stopping != STOPPING_FAILED)
        return true;
    if (!takes_input(s, err))
        return false;
    if (!button && !hands)
        return s->folder ? error_set(err, ENOTSUP, "the profile knows no way to shut %s down: leave its programs, then end it "
                                     "with 'holdover kill %s'", s->name, s->name) :
               error_set(err, ENOTSUP, "%s has no shutdown: leave its programs, then power it off in the menu", s->name);
    s->stop_deadline = now + timeout;
    if (button) {
        session_power_button(s);
        s->stopping = hands ? STOPPING_BUTTON : STOPPING_WAIT;
        s->stop_next = hands ? now + MIN(timeout / 3, BUTTON_NS) : s->stop_deadline;
    } else {
        s->stopping = STOPPING_BUTTON;
        s->stop_next = now;
    }
    session_notice(s, "asked to shut down; waiting up to %u s", s->stop.timeout);
    return true;
}

static void stop_by_hand(struct session *s)
{
    struct key_script script = { 0 };
    struct error err;

    if (!keys_from_list(&script, s->stop.keys, &err) || !keys_from_text(&script, s->stop.text, &err))
        session_notice(s, "the profile's [stop]: %s", err.text);
    reset_ends(s, true);
    if (script.count)
        typist_start(&s->typist, &script);
    keys_free(&script);
}

void stop_advance(struct session *s)
{
    char sentence[NOTICE_SIZE];

    if (s->stopping == STOPPING_NOT || s->stopping == STOPPING_FAILED || host_now() < s->stop_next)
        return;
    if (s->stopping == STOPPING_BUTTON) {
        if (typist_busy(&s->typist))
            return;
        stop_by_hand(s);
        s->stopping = STOPPING_WAIT;
        s->stop_next = s->stop_deadline;
        return;
    }
    s->stopping = STOPPING_FAILED;
    reset_ends(s, false);
    if (s->stop_must_end) {
        snprintf(sentence, sizeof(sentence), "%s did not shut down within %u s and was powered off", s->name, s->stop.timeout);
        session_kill(s);
    } else if (s->folder) {
        snprintf(sentence, sizeof(sentence), "%s did not shut down within %u s and goes on; 'holdover kill %s' ends it by force",
                 s->name, s->stop.timeout, s->name);
    } else {
        snprintf(sentence, sizeof(sentence), "%s did not shut down within %u s and goes on; the menu's 'Power off' ends it by force",
                 s->name, s->stop.timeout);
    }
    session_notice(s, "%s", sentence + strlen(s->name) + 1);    /* who sees it knows whose it is */
    control_stopped(s->control, false, sentence);
}

/* --- actions --------------------------------------------------------------------------------------------------------- */

void session_kill(struct session *s)
{
    s->killed = true;
    s->finished = true;
}

void session_notice(struct session *s, const char *fmt, ...)
{
    va_list ap;
    size_t used;

    pthread_mutex_lock(&s->notice_lock);
    used = strlen(s->notice);                   /* one that was not shown yet stays, if there is room */
    used = used && used + 100 < sizeof(s->notice) ? used + (size_t)sprintf(s->notice + used, "; ") : 0;
    va_start(ap, fmt);
    vsnprintf(s->notice + used, sizeof(s->notice) - used, fmt, ap);
    va_end(ap);
    pthread_mutex_unlock(&s->notice_lock);
}

static bool start_typing(struct session *s, struct key_script *script, bool made, struct error *err)
{
    made = made && takes_input(s, err);
    if (made && typist_busy(&s->typist))
        made = error_set(err, EBUSY, "%s is still being typed to: try again in a moment", s->name);
    if (made)
        typist_start(&s->typist, script);
    keys_free(script);
    return made;
}

bool session_type(struct session *s, const char *text, struct error *err)
{
    struct key_script script = { 0 };

    return start_typing(s, &script, keys_from_text(&script, text, err), err);
}

bool session_paste(struct session *s, const char *text, struct error *err)
{
    struct key_script script = { 0 };
    bool made = true;

    while (*text && made) {                     /* a backslash that ends its part is itself */
        size_t n = strcspn(text, "\\");
        char *part = strndup(text, n + (text[n] != 0));
        if (!part)
            abort();
        made = keys_from_text(&script, part, err);
        free(part);
        text += n + (text[n] != 0);
    }
    return start_typing(s, &script, made, err);
}

bool session_key(struct session *s, const char *name, struct error *err)
{
    struct key_script script = { 0 };

    return start_typing(s, &script, keys_from_list(&script, name, err), err);
}

void session_chord(struct session *s, const char *name)
{
    struct error err;

    if (!session_key(s, name, &err))
        session_notice(s, "%s", err.text);
}

static unsigned medium_slot(const char *drive)
{
    return strncmp(drive, "floppy", 6) ? 2 : drive[6] == '1';
}

void session_medium_note(struct session *s, const char *drive, const char *file)
{
    const char *slash = file ? strrchr(file, '/') : NULL, *name = slash ? slash + 1 : file ? file : "";

    snprintf(s->medium[medium_slot(drive)], MEDIUM_NAME, "%.*s", (int)strcspn(name, ","), name);
}

const char *session_medium(const struct session *s, const char *drive)
{
    return s->medium[medium_slot(drive)];
}

bool session_media(struct session *s, const char *drive, const char *file, struct error *err)
{
    enum medium_kind kind = !strncmp(drive, "cdrom", 5) ? MEDIUM_CDROM : MEDIUM_FLOPPY;
    struct block *b = NULL;
    bool ok;

    if (!takes_input(s, err) || (file && !(b = setup_medium(file, kind, err))))
        return false;
    machine_lock(s->machine);
    ok = machine_media(s->machine, drive, b, err);
    machine_unlock(s->machine);
    if (ok)
        session_medium_note(s, drive, file);
    return ok;
}

void session_power_button(struct session *s)
{
    struct error err;

    if (!takes_input(s, &err)) {
        session_notice(s, "%s", err.text);
        return;
    }
    machine_lock(s->machine);
    machine_power_button(s->machine);
    machine_unlock(s->machine);
}
