/* `holdover status`: is a guest running, and how is it doing? */
#include "console/control.h"
#include "console/library.h"
#include "console/talk.h"

struct own_options { bool json; };
static const struct option table[] = {
    { "json", NULL, OPTION_FLAG, offsetof(struct own_options, json), 0, "the answer as JSON" },
    { 0 }
};

static int status(struct invocation *in)
{
    const struct own_options *o = in->own;
    const char *name = in->arguments.items[0];
    json_t *reply = NULL;
    struct guest g;
    struct error err;
    int code;

    if (!guest_find(&g, name, &err))
        return fail(EXIT_FAILED, &err);
    if (!guest_running(&g)) {
        if (o->json)
            printf("{\"name\": \"%s\", \"running\": false}\n", name);
        else
            printf("%s is not running\n", name);
        return EXIT_FINE;
    }
    if ((code = talk(in, json_pack("{s:s}", "command", "status"), NULL, &reply)))
        return code;
    if (o->json) {
        json_object_del(reply, "ok");
        json_object_set_new(reply, "running", json_true());
        json_dumpf(reply, stdout, JSON_INDENT(2));
        printf("\n");
    } else {
        printf("%s is running: process %d, engine %s, %.0f s, picture %dx%d%s\n", name,
               (int)json_integer_value(json_object_get(reply, "pid")), json_string_value(json_object_get(reply, "engine")),
               json_real_value(json_object_get(reply, "host_seconds")),
               (int)json_integer_value(json_object_get(reply, "width")),
               (int)json_integer_value(json_object_get(reply, "height")),
               json_is_true(json_object_get(reply, "stopping")) ? ", shutting down" : "");
    }
    json_decref(reply);
    return EXIT_FINE;
}

const struct command command_status = {
    .name = "status", .usage = "NAME [--json]", .summary = "tell whether a guest is running",
    .options = table, .size = sizeof(struct own_options), .least = 1, .most = 1, .run = status,
};
