/* The probe of /dev/kvm tells what it found, whatever the host has. */
#include "console/kvm_probe.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

Test(doctor, kvm_is_judged_by_running_a_program, .timeout = 30)
{
    char why[KVM_TEXT] = "?";
    bool works = kvm_works(why, sizeof(why));
    cr_assert(works || strlen(why) > 8, "%s", why);
    cr_assert(!works || !*why, "it works, and yet: %s", why);
    if (access("/dev/kvm", F_OK))
        cr_assert(!works && strstr(why, "no /dev/kvm"), "%s", why);
    else if (access("/dev/kvm", R_OK | W_OK))
        cr_assert(!works && strstr(why, "cannot be opened"), "%s", why);
    cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "the child is gone");
}
