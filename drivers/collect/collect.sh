#!/bin/sh
# The identity of an old machine, for `holdover import --identity`: run it on the old Unix or Linux system, best as root,
#     sh collect.sh > identity.txt
# and bring the file along. docs/identity.md describes it. It only reads, and leaves out what it cannot find.
# Written for shells and tools of about 1990: no $(...), no grep -q, no test -e, no printf, no awk.
PATH=/sbin:/usr/sbin:/bin:/usr/bin:/etc:/usr/etc:/usr/local/bin:/usr/local/sbin:$PATH
LC_ALL=C LANG=C
export PATH LC_ALL LANG
root=$COLLECT_ROOT                              # tests: another machine's /proc and /etc
proc=$root/proc
none=/dev/null

# key=value, with control characters and blanks at the ends taken away; nothing when there is no value
put() {
    value=`echo "$2" | sed 1q | tr -d '\000-\010\013-\037\177' | tr '\011' ' ' | sed -e 's/^ *//' -e 's/ *$//'`
    case $value in '' | unknown | Unknown | 'Not Specified' | 'To Be Filled'*) ;; *) echo "$1=$value" ;; esac
}
# as put, where the value is a number; what stands behind it is cut off
number() {
    value=`echo "$2" | sed -n '1s/^ *\([0-9][0-9]*\).*/\1/p'`
    test -n "$value" && test "$value" -gt 0 2>$none && echo "$1=$value"
}
field() { sed -n "s/^$1[ 	]*[:=][ 	]*//p" "$2" 2>$none | sed 1q; }

echo "holdover-identity=1"
echo "# collect.sh on `uname -n 2>$none`"
put os "`uname -a 2>$none`"
put hostname "`hostname 2>$none || uname -n 2>$none`"
put clock "`date '+%Y-%m-%dT%H:%M:%S' 2>$none`"

# --- does the real-time clock show UTC? ---
utc=
for f in $root/etc/adjtime $root/etc/sysconfig/clock $root/etc/default/rcS $root/etc/conf.d/clock; do
    if test -z "$utc" && test -r $f; then
        if grep '^UTC$' $f >$none || egrep -i '^(UTC|HWCLOCK|CLOCK)="?(yes|true|1|-u|UTC)' $f >$none; then utc=yes
        elif grep '^LOCAL$' $f >$none || egrep -i '^(UTC|HWCLOCK|CLOCK)="?(no|false|0|--localtime|local)' $f >$none; then utc=no; fi
    fi
done
test -f $root/etc/wall_cmos_clock && utc=no
put clock.utc "$utc"

# --- processor ---
cpuinfo=$proc/cpuinfo
umask 077
mkdir /tmp/collect.$$ || exit 1
trap 'rm -rf /tmp/collect.$$' 0
trap 'exit 1' 1 2 15
messages=/tmp/collect.$$/m
(dmesg 2>$none; cat $root/var/run/dmesg.boot $root/var/log/dmesg $root/usr/adm/messages $root/var/adm/messages 2>$none) >$messages
if test -n "$root"; then cat $root/var/log/dmesg >$messages 2>$none; fi
if test -r $cpuinfo; then
    put cpu.vendor "`field vendor_id $cpuinfo`"
    family=`field 'cpu family' $cpuinfo`
    test -n "$family" || family=`field cpu $cpuinfo | sed -n 's/^\([3-6]\)86.*/\1/p'`
    number cpu.family "$family"
    number cpu.model "`field model $cpuinfo | sed -n 's/^\([0-9][0-9]*\) *$/\1/p'`"
    number cpu.stepping "`field stepping $cpuinfo`"
    put cpu.brand "`field 'model name' $cpuinfo`"
    put cpu.features "`field flags $cpuinfo | cut -c1-180 2>$none`"
    number cpu.mhz "`field 'cpu MHz' $cpuinfo`"
    number cpu.count "`grep -c '^processor' $cpuinfo 2>$none`"
else
    put cpu.brand "`sysctl -n hw.model 2>$none`"
    number cpu.count "`sysctl -n hw.ncpu 2>$none`"
    put cpu.vendor "`sed -n 's/.*Origin *= *\"\([A-Za-z]*\)\".*/\1/p' $messages`"
    id=`sed -n 's/.*Origin.*Id *= *0x\([0-9a-f]*\).*/\1/p' $messages | sed 1q`
    number cpu.family "`echo $id | sed -n 's/.*\([0-9]\)..$/\1/p'`"
    number cpu.model "`echo $id | sed -n 's/.*\([0-9]\).$/\1/p'`"
    number cpu.stepping "`echo $id | sed -n 's/.*\([0-9]\)$/\1/p'`"
fi

# --- memory: what the BIOS tables say, else what the kernel has, rounded up to a size that modules make ---
dmi=
if test -z "$root"; then dmi=`dmidecode 2>$none`; elif test -r $root/dmidecode; then dmi=`cat $root/dmidecode`; fi
kb=`field MemTotal $proc/meminfo | sed -n 's/^\([0-9][0-9]*\).*/\1/p'`
test -n "$kb" || kb=`sed -n 's/^Mem: *\([0-9][0-9]*\).*/\1/p' $proc/meminfo 2>$none | sed -n 's/...$//p'`
test -n "$kb" || kb=`sed -n 's/.*real memory *= *\([0-9][0-9]*\).*/\1/p' $messages | sed -n '1s/...$//p'`
test -n "$kb" || kb=`sed -n 's/^mem: *total *= *\([0-9][0-9]*\)k.*/\1/p' $messages | sed 1q`
test -n "$kb" || kb=`prtconf 2>$none | sed -n 's/^Memory size: *\([0-9][0-9]*\) *Megabytes.*/\1000/p'`
test -n "$kb" || kb=`sysctl -n hw.physmem 2>$none | sed -n 's/...$//p'`
if test -n "$kb" && test "$kb" -gt 0 2>$none; then
    if test $kb -le 33000; then step=4; elif test $kb -le 200000; then step=8; elif test $kb -le 530000; then step=16; else step=32; fi
    mb=`expr $kb / 1024 + $step - 1`
    mb=`expr $mb / $step \* $step`
    echo "memory=${mb}M"
fi

# --- firmware's tables ---
# dmidecode of any age: a title, then indented "Name: value" lines, up to the next title
dmi_value() {
    echo "$dmi" | sed -n "/^[ 	]*$1 *\$/,/^\$/s/^[ 	]*$2: *//p" | sed 1q
}
if test -n "$dmi"; then
    put bios.vendor "`dmi_value 'BIOS Information' Vendor`"
    put bios.version "`dmi_value 'BIOS Information' Version`"
    bios_date=`dmi_value 'BIOS Information' 'Release Date'`
    put system.vendor "`dmi_value 'System Information' '[MV][a-z]*'`"
    put system.product "`dmi_value 'System Information' 'Product[ A-Z]*[a-z]*'`"
    put system.version "`dmi_value 'System Information' Version`"
    put system.serial "`dmi_value 'System Information' 'Serial Number'`"
    uuid=`dmi_value 'System Information' UUID`
    put board.vendor "`dmi_value 'Base Board Information' '[MV][a-z]*'`"
    put board.product "`dmi_value 'Base Board Information' 'Product[ A-Z]*[a-z]*'`"
    put board.version "`dmi_value 'Base Board Information' Version`"
    put board.serial "`dmi_value 'Base Board Information' 'Serial Number'`"
elif test -r $root/sys/class/dmi/id/bios_vendor; then
    d=$root/sys/class/dmi/id
    put bios.vendor "`cat $d/bios_vendor 2>$none`"
    put bios.version "`cat $d/bios_version 2>$none`"
    bios_date=`cat $d/bios_date 2>$none`
    put system.vendor "`cat $d/sys_vendor 2>$none`"
    put system.product "`cat $d/product_name 2>$none`"
    put system.version "`cat $d/product_version 2>$none`"
    put system.serial "`cat $d/product_serial 2>$none`"
    uuid=`cat $d/product_uuid 2>$none`
    put board.vendor "`cat $d/board_vendor 2>$none`"
    put board.product "`cat $d/board_name 2>$none`"
    put board.version "`cat $d/board_version 2>$none`"
    put board.serial "`cat $d/board_serial 2>$none`"
fi
put system.uuid "`echo "$uuid" | sed -n 's/^ *\([0-9A-Fa-f]\{8\}-[0-9A-Fa-f]\{4\}-[0-9A-Fa-f]\{4\}-[0-9A-Fa-f]\{4\}-[0-9A-Fa-f]\{12\}\) *$/\1/p'`"
test -n "$bios_date" || test -n "$root" || bios_date=`dd if=/dev/mem bs=1 skip=1048565 count=8 2>$none`     # F000:FFF5
put bios.date "`echo "$bios_date" | tr -d '\000' | sed -n 's,^ *\([01][0-9]/[0-3][0-9]/[0-9][0-9][0-9]*\) *$,\1,p'`"

# --- network cards ---
# six bytes, each with two digits; not those of groups, loopback and tunnels
addresses() {
    sed -e 's/^\(.\):/0\1:/' -e 's/:\(.\):/:0\1:/g' -e 's/:\(.\):/:0\1:/g' -e 's/:\(.\)$/:0\1/' |
        sed -n '/^[0-9A-Fa-f][02468ACEace]:..:..:..:..:..$/p' | grep -v '^00:00:00:00:00:00$'
}
if test -z "$root"; then
    (ifconfig -a 2>$none || ifconfig 2>$none || netstat -in 2>$none; netstat -in 2>$none; ndstat -l 2>$none; llistat -l 2>$none)
else
    cat $root/ifconfig 2>$none
fi | sed -n -e 's/.*HWaddr *\([0-9A-Fa-f:]*\).*/\1/p' -e 's/^[ 	]*ether *\([0-9A-Fa-f:]*\).*/\1/p' \
    -e 's/^[ 	]*address:* *\([0-9A-Fa-f]*:[0-9A-Fa-f:]*\).*/\1/p' -e 's/.*MAC [Aa]ddress[^:]*: *\([0-9A-Fa-f:]*\).*/\1/p' |
    addresses | sed 's/^/mac=/'
for f in $root/sys/class/net/*/address; do
    test -r $f && addresses <$f | sed 's/^/mac=/'
done 2>$none

# --- disks: IDE in the order of their names, then SCSI ---
n=0
disk() {                                        # model serial firmware C/H/S
    put disk$n.model "$1"
    put disk$n.serial "$2"
    put disk$n.firmware "$3"
    number disk$n.cylinders "`echo "$4" | sed -n 's,^\([0-9]*\)/[0-9]*/[0-9]*.*,\1,p'`"
    number disk$n.heads "`echo "$4" | sed -n 's,^[0-9]*/\([0-9]*\)/[0-9]*.*,\1,p'`"
    number disk$n.sectors "`echo "$4" | sed -n 's,^[0-9]*/[0-9]*/\([0-9]*\).*,\1,p'`"
    n=`expr $n + 1`
}
for d in $proc/ide/hd?; do
    test -r $d/model || continue
    name=`echo $d | sed 's,.*/,,'`
    if test -z "$root"; then id=`hdparm -i /dev/$name 2>$none`; else id=`cat $root/hdparm.$name 2>$none`; fi
    serial=`echo "$id" | sed -n 's/.*SerialNo=\([^,]*\).*/\1/p'`
    firmware=`echo "$id" | sed -n 's/.*FwRev=\([^,]*\).*/\1/p'`
    if grep cdrom $d/media >$none 2>&1; then
        put cdrom.model "`cat $d/model`"
        put cdrom.firmware "$firmware"
    elif grep disk $d/media >$none 2>&1; then
        disk "`cat $d/model`" "$serial" "$firmware" "`sed -n 's/^logical *//p' $d/geometry 2>$none`"
    fi
done
if test -r $proc/scsi/scsi; then
    sed -n -e '/Vendor:/{' -e N -e 's/\n/ /' -e 's/.*Vendor: *\(.*[^ ]\) *Model: *\(.*[^ ]\) *Rev: *\([^ ]*\) *Type: *\([^ ]*\).*/\4|\1 \2|\3/p' -e '}' $proc/scsi/scsi >$messages.s
    while read line; do
        model=`echo "$line" | sed 's/^[^|]*|\([^|]*\)|.*/\1/'`
        firmware=`echo "$line" | sed 's/.*|//'`
        case $line in
        Direct*) disk "$model" "" "$firmware" "" ;;
        CD-ROM*) put cdrom.model "$model"; put cdrom.firmware "$firmware" ;;
        esac
    done <$messages.s
fi
if test $n = 0; then                            # BSD, SCO, kernels without /proc/ide
    sed -n -e 's/^\(ad\|wd\|da\|hd\)\([0-9a-d]\): [0-9]*MB <\([^>]*\)> \[\([0-9]*\/[0-9]*\/[0-9]*\)\].*/\3|\4/p' \
        -e 's/^wd[0-9]*: <\([^>]*\)>.*/\1|/p' -e 's/^hd[a-d]: \([^,]*\), [0-9]*MB.*CHS=\([0-9]*\/[0-9]*\/[0-9]*\).*/\1|\2/p' \
        -e 's/^%disk.*cyls=\([0-9]*\) hds=\([0-9]*\) secs=\([0-9]*\).*/|\1\/\2\/\3/p' $messages | sed -n '1,4p' >$messages.d
    while read line; do
        disk "`echo "$line" | sed 's/|.*//'`" "" "" "`echo "$line" | sed 's/.*|//'`"
    done <$messages.d
    put cdrom.model "`sed -n -e 's/^acd[0-9]: CDROM <\([^>]*\)>.*/\1/p' -e 's/^cd[0-9].*<\([^>]*\)>.*/\1/p' $messages`"
fi

# --- PCI: vendor:device ---
if test -r $proc/bus/pci/devices; then
    sed -n 's/^[0-9a-f]*[ 	]*\([0-9a-f][0-9a-f][0-9a-f][0-9a-f]\)\([0-9a-f][0-9a-f][0-9a-f][0-9a-f]\).*/pci=\1:\2/p' $proc/bus/pci/devices
elif test -z "$root"; then
    (lspci -n 2>$none; pciconf -l 2>$none) | sed -n -e 's/.*: *\([0-9a-f]\{4\}:[0-9a-f]\{4\}\).*/pci=\1/p' \
        -e 's/.*chip=0x\([0-9a-f]\{4\}\)\([0-9a-f]\{4\}\).*/pci=\2:\1/p' -e 's/.*vendor=0x\([0-9a-f]\{4\}\) device=0x\([0-9a-f]\{4\}\).*/pci=\1:\2/p'
fi | sed -n '1,60p'

# --- drivers that are in use ---
sed -n 's/^\([A-Za-z0-9_-]*\) .*/module=\1/p' $proc/modules 2>$none | sed -n '1,100p'
exit 0
