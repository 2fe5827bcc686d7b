# The guest cases: each a function named in tests/guests/list. Exit 77 skips with the last line as the reason.

freedos_prompt() {
    need $corpus/freedos/freedos-boot-1440.img
    boot --floppy $corpus/freedos/freedos-boot-1440.img --until 'A:\>' --for 60 --screenshot $work/freedos.png
}

freedos_dir() {
    need $corpus/freedos/freedos-boot-1440.img
    boot --floppy $corpus/freedos/freedos-boot-1440.img --until 'A:\>' --type 'dir\n' --until 'KERNEL   SYS' --until 'bytes free' --for 90
}

# The steps from power-on to the prompt of the second floppy, with HIMEM and EMM386 (so DOS runs in V86 mode).
std() { boot --until 'HIGH[Y,N]' --key y --until 'HIMEM.EXE /VERBOSE[Y,N]' --key y --until 'EMM386.EXE /VERBOSE[Y,N]' --key y \
    --until 'UMBPCI.SYS[Y,N]' --key n --until 'A:\>' "$@"; }

# EDIT is opened, a text is typed and saved; TYPE reads it back, and so does mtools from the floppy file.
freedos_edit() {
    need $corpus/freedos/freedos-std-1440.img
    cp $corpus/freedos/freedos-std-1440.img $work/edit.img
    chmod u+w $work/edit.img
    std --floppy $work/edit.img,rw --type '\\fdos\\edit note.txt\n' --until 'FreeDOS Edit' --until 'note.txt' \
        --type 'Holdover was here' --until 'Holdover was here' --key alt-f --until 'Save as' --key s --until 'Line:0' \
        --key alt-f --until 'Save as' --key x --until 'A:\>' --type 'type note.txt\n' --until 'Holdover was here' --for 200 --screenshot $work/edit.png
    mtype -i $work/edit.img ::NOTE.TXT | grep 'Holdover was here'
}

# A hard disk is partitioned, formatted and given a system in the guest, booted from, imported, and booted from again.
freedos_disk() {
    need $corpus/freedos/freedos-std-1440.img
    truncate -s 32M $work/dos.raw
    std --floppy $corpus/freedos/freedos-std-1440.img --disk $work/dos.raw,rw --type '\fdos\fdisk /pri:30 1\n' --type 'ver\n' \
        --until 'FreeCom' --type 'cls\n\fdos\fdisk /activate:1 1\n' --type 'ver\n' --until 'FreeCom' \
        --type 'cls\n\fdos\fdisk /mbr 1\n' --type 'ver\n' --until 'FreeCom' --for 100 --screenshot $work/fdisk.png
    std --floppy $corpus/freedos/freedos-std-1440.img --disk $work/dos.raw,rw --type '\fdos\format c: /u\n' --until 'YES' --type 'YES\n' \
        --until 'volume label' --type 'OLD\n' --until 'Volume Serial' --type 'sys c:\n' --until 'System transferred' \
        --type 'copy config.sys c:\old.sys\n' --until '=> c:\old.sys' --until 'A:\>' --for 200 --screenshot $work/sys.png
    boot --disk $work/dos.raw --until 'new date' --type '\n' --until 'new time' --type '\n' --until 'C:\>' --for 100 --screenshot $work/dos-raw.png
    $holdover import $work/dos.raw --name dos
    image_ok $HOLDOVER_HOME/dos/disk0.qcow2
    $holdover export dos --format raw -o $work/dos-export.raw
    cmp $work/dos.raw $work/dos-export.raw
    $holdover run dos --headless --until 'new date' --type '\n' --until 'new time' --type '\n' --until 'C:\>' \
        --type 'dir\n' --until 'OLD      SYS' --until 'bytes free' --for 100 --screenshot $work/dos.png
    $holdover remove dos </dev/null
}

linux_686() {
    prepare kernel-686
    boot --kernel $O/guests/vmlinuz-686 --initrd $O/guests/initrd-686.gz --append 'console=ttyS0 quiet' --serial - \
        --until 'SHELL READY' --for 280
}

linux_pae() {
    prepare kernel-pae
    memory=6G
    [ "$(memory_free_mib)" -gt 8000 ] || memory=512M
    boot --kernel $O/guests/vmlinuz-pae --initrd $O/guests/initrd-pae.gz --append 'console=ttyS0 quiet' --serial $work/pae.txt \
        --memory $memory --until 'SHELL READY' --for 380
    total=$(sed -n 's/.*MemTotal: *\([0-9]*\) kB.*/\1/p' $work/pae.txt)
    echo "MemTotal $total kB of $memory"
    [ $memory = 512M ] || [ "$total" -gt 5900000 ]
}

linux_cdrom() {
    prepare kernel-686
    mkdir -p $work/cd
    echo 'words on a disc' >$work/cd/note.txt
    xorriso -as mkisofs -quiet -R -V TESTDISC -o $work/cd.iso $work/cd
    boot --kernel $O/guests/vmlinuz-686 --initrd $O/guests/initrd-686.gz --append 'console=tty0 quiet' --cdrom $work/cd.iso \
        --until 'SHELL READY' --type 'mount -t iso9660 -o ro /dev/sr0 /mnt && cat /mnt/note.txt\n' --until 'words on a disc' --for 280
}

# A SCSI disk under the system's own driver: a file system is made, filled, read back and checked.
scsi_disk() {           # card module
    prepare drives
    truncate -s 64M $work/scsi.raw
    boot --kernel $O/guests/vmlinuz-686 --initrd $O/guests/initrd-drives.gz --append "console=ttyS0 quiet drive=$2 do=disk" --serial $work/$1.txt \
        --disk $work/scsi.raw,rw --set disk0.bus=scsi --set scsi.card=$1 --until 'JOBS END' --for 280
    tail -n 20 $work/$1.txt
    grep 'DISK GOOD' $work/$1.txt
    /sbin/e2fsck -fn $work/scsi.raw
    rm $work/scsi.raw
}
scsi_lsi53c895a() { scsi_disk lsi53c895a sym53c8xx; }
scsi_lsi53c810() { scsi_disk lsi53c810 sym53c8xx; }
scsi_buslogic() { scsi_disk buslogic BusLogic; }
scsi_am53c974() { scsi_disk am53c974 am53c974; }

# The same on IDE by the PIIX4's identity and Ultra DMA, and by the PIIX3's.
ide_piix4() {
    prepare drives
    for chip in piix4:7111:UDMA_2 piix3:7010:MW_DMA_2; do
        id=${chip#*:}
        truncate -s 64M $work/ide.raw
        boot --kernel $O/guests/vmlinuz-686 --initrd $O/guests/initrd-drives.gz --append "console=ttyS0 quiet drive=ata_piix do=disk" \
            --serial $work/ide.txt --disk $work/ide.raw,rw --set ide.chip=${chip%%:*} --until 'JOBS END' --for 140
        cat $work/ide.txt
        grep "PCI 0x8086:0x${id%:*}" $work/ide.txt
        grep "DMA XFER_${id#*:}" $work/ide.txt
        grep 'DISK GOOD' $work/ide.txt
        /sbin/e2fsck -fn $work/ide.raw
        rm $work/ide.raw
    done
}

# A disc on the adapter's bus.
scsi_cdrom() {
    prepare drives
    mkdir -p $work/cdtree
    head -c 3000000 /dev/urandom >$work/cdtree/noise
    echo 'words on a disc' >$work/cdtree/note.txt
    (cd $work/cdtree && sha256sum noise note.txt >sums)
    xorriso -as mkisofs -quiet -R -V TESTDISC -o $work/scsicd.iso $work/cdtree
    boot --kernel $O/guests/vmlinuz-686 --initrd $O/guests/initrd-drives.gz --append 'console=ttyS0 quiet drive=am53c974 do=cdrom' \
        --serial $work/scsicd.txt --cdrom $work/scsicd.iso --set scsi.cdrom=yes --set scsi.card=am53c974 --until 'JOBS END' --for 280
    tail -n 6 $work/scsicd.txt
    grep 'DISC GOOD' $work/scsicd.txt
    rm -r $work/scsicd.iso $work/cdtree
}

# A floppy disk formatted by Linux's driver, filled and read back.
linux_floppy() {
    prepare drives
    head -c 1474560 /dev/urandom >$work/format.img
    boot --kernel $O/guests/vmlinuz-686 --initrd $O/guests/initrd-drives.gz --append 'console=ttyS0 quiet drive=floppy do=floppy' \
        --serial $work/format.txt --floppy $work/format.img --until 'JOBS END' --for 280
    tail -n 6 $work/format.txt
    grep 'FORMAT GOOD' $work/format.txt
    grep ' f6 f6 f6 f6' $work/format.txt
    grep 'FLOPPY GOOD' $work/format.txt
}

# A cue sheet with a data track and one of audio, on IDE and on SCSI: the same files, and the audio where it belongs.
cue_cdrom() {
    prepare drives
    mkdir -p $work/cuetree
    head -c 2000000 /dev/urandom >$work/cuetree/noise
    (cd $work/cuetree && sha256sum noise >sums)
    xorriso -as mkisofs -quiet -R -V CUEDISC -o $work/data.bin $work/cuetree
    head -c 705600 /dev/urandom >$work/audio.bin
    printf 'FILE "data.bin" BINARY\n TRACK 01 MODE1/2048\n  INDEX 01 00:00:00\nFILE "audio.bin" BINARY\n TRACK 02 AUDIO\n  PREGAP 00:02:00\n  INDEX 01 00:00:00\n' >$work/disc.cue
    for on in no yes; do
        boot --kernel $O/guests/vmlinuz-686 --initrd $O/guests/initrd-drives.gz --append 'console=ttyS0 quiet drive=am53c974 do=cdrom' \
            --serial $work/cue.txt --cdrom $work/disc.cue --set scsi.cdrom=$on --set scsi.card=am53c974 --until 'JOBS END' --for 140
        tail -n 6 $work/cue.txt
        grep 'DISC GOOD' $work/cue.txt
    done
    rm -r $work/cuetree $work/data.bin $work/audio.bin
}

# A SCSI disk through INT 13h alone: partitioned, formatted and given a system behind one adapter's ROM, booted from on each.
scsi_dos() {
    need $corpus/freedos/freedos-std-1440.img
    truncate -s 32M $work/scsidos.raw
    scsi="--set disk0.bus=scsi --set scsi.card="
    std --floppy $corpus/freedos/freedos-std-1440.img --disk $work/scsidos.raw,rw ${scsi}buslogic --type '\fdos\fdisk /pri:30 1\n' --type 'ver\n' \
        --until 'FreeCom' --type 'cls\n\fdos\fdisk /activate:1 1\n' --type 'ver\n' --until 'FreeCom' \
        --type 'cls\n\fdos\fdisk /mbr 1\n' --type 'ver\n' --until 'FreeCom' --for 100
    std --floppy $corpus/freedos/freedos-std-1440.img --disk $work/scsidos.raw,rw ${scsi}buslogic --type '\fdos\format c: /u\n' --until 'YES' \
        --type 'YES\n' --until 'volume label' --type 'OLD\n' --until 'Volume Serial' --type 'sys c:\n' --until 'System transferred' \
        --type 'copy config.sys c:\old.sys\n' --until '=> c:\old.sys' --until 'A:\>' --for 200 --screenshot $work/scsidos.png
    for card in buslogic am53c974 lsi53c895a; do
        boot --disk $work/scsidos.raw $scsi$card --until 'new date' --type '\n' --until 'new time' --type '\n' --until 'C:\>' \
            --type 'dir\n' --until 'OLD      SYS' --until 'bytes free' --for 100 --screenshot $work/scsidos-$card.png
    done
    rm $work/scsidos.raw
}

memtest() {
    prepare memtest
    boot --kernel $O/guests/memtest --until 'Memtest86+' --until 'Pass' --for 170 --screenshot $work/memtest.png
}

invaders() {
    prepare invaders
    boot --kernel $O/guests/invaders --until '-*--' --for 100 --screenshot $work/invaders.png
}

# The main job: import, export, boot to the login, the application, an orderly stop. What the run wrote is in the layer; the
# import is what it was.
payroll() {
    prepare disk
    $holdover import $O/guests/payroll.raw --name payroll
    guest=$HOLDOVER_HOME/payroll
    image_ok $guest/disk0.qcow2
    $holdover export payroll --format raw -o $work/export.raw
    cmp $O/guests/payroll.raw $work/export.raw
    rm $work/export.raw
    before=$(sha256sum <$guest/disk0.qcow2)
    $holdover run payroll --headless --until 'login:' --type 'payroll\n' --until 'Choice:' --type 'a\n' --until 'Name:' \
        --type 'Erika Holt\n' --until 'Hours:' --type '100\n' --until 'Rate:' --type '10\n' --until 'Erika Holt' --until '10315.60' \
        --until 'Choice:' --for 400 --screenshot $work/payroll.png
    # again, and stopped by its power button
    $holdover run payroll --headless --serial $work/serial.txt --stats $work/stats.json --for 500 >$work/run.txt 2>&1 &
    run=$!
    for try in $(seq 300); do
        grep -aq 'login:' $work/serial.txt && break
        sleep 1
    done
    grep -aq 'login:' $work/serial.txt
    $holdover stop payroll
    wait $run
    grep '"ended": "power-off"' $work/stats.json
    image_ok $guest/layers/current.qcow2
    [ "$before" = "$(sha256sum <$guest/disk0.qcow2)" ]
    [ "$(stat -c %a $guest/disk0.qcow2)" = 444 ]
    $holdover export payroll --format raw -o $work/after.raw
    debugfs -R 'cat /var/payroll/employees.dat' "$work/after.raw?offset=32256" | grep '5:Erika Holt:100:10'
    dumpe2fs -h "$work/after.raw?offset=32256" | grep 'Filesystem state: *clean'
    rm $work/after.raw
    $holdover remove payroll </dev/null
}

installer() {
    prepare installer
    boot --kernel $O/guests/installer-linux --initrd $O/guests/installer-initrd.gz --append 'vga=normal fb=false' --memory 512M \
        --until 'Select a language' --for 880 --screenshot $work/installer.png
}

# Our own test ROM runs in place of the firmware: FFh is its last word, and the printed arithmetic is that of the manuals.
rom386() {
    for model in 386 pentium3; do
        boot --firmware $O/tests/guests/rom386.bin --set cpu.model=$model --debug-port 0x190:$work/rom386.bytes --serial $work/rom386.txt --for 60
        od -An -tx1 $work/rom386.bytes | tee $work/rom386.last
        grep -q 'ff *$' $work/rom386.last
        [ "$(cksum <$work/rom386.txt)" = '1861743032 15853' ]
    done
}

# The engine that auto does not take where there is a faster one.
freedos_interpreter() {
    need $corpus/freedos/freedos-boot-1440.img
    boot --engine interpreter --floppy $corpus/freedos/freedos-boot-1440.img --until 'A:\>' --for 60
}

linux_interpreter() {
    prepare kernel-686
    boot --engine interpreter --kernel $O/guests/vmlinuz-686 --initrd $O/guests/initrd-686.gz --append 'console=ttyS0 quiet' \
        --until 'SHELL READY' --for 280
}

# Counted time: the same run twice, beside other work of the host, ends at the same instruction with the same screen; DOS on both engines.
counted() {
    need $corpus/freedos/freedos-boot-1440.img
    prepare kernel-686
    head -c 30000000 /dev/urandom >$work/counted.raw
    for try in 1 2; do
        if [ $try = 2 ]; then timeout 250 sh -c 'while :; do :; done' & timeout 250 sh -c 'while :; do :; done' & fi
        for engine in translator interpreter; do
            boot --engine $engine --set cpu.icount=50M --floppy $corpus/freedos/freedos-boot-1440.img --until 'A:\>' --type 'dir\n' \
                --until 'bytes free' --for 100 --stats $work/dos-$engine-$try.json --screenshot $work/dos-$engine-$try.png
        done
        boot --set cpu.icount=50M --kernel $O/guests/vmlinuz-686 --initrd $O/guests/initrd-686.gz --append 'console=ttyS0 quiet diskbench' \
            --disk $work/counted.raw --serial $work/linux-$try.txt --until 'SHELL READY' --for 250 --stats $work/linux-$try.json
    done
    for run in dos-translator-1 dos-translator-2 dos-interpreter-1 dos-interpreter-2 linux-1 linux-2; do
        grep -E '"(instructions|guest_seconds|io|mmio|hlt)"' $work/$run.json >$work/$run.counts
    done
    cmp $work/dos-translator-1.counts $work/dos-translator-2.counts
    cmp $work/dos-translator-1.counts $work/dos-interpreter-1.counts
    cmp $work/dos-interpreter-1.counts $work/dos-interpreter-2.counts
    cmp $work/dos-translator-1.png $work/dos-interpreter-2.png
    cmp $work/linux-1.counts $work/linux-2.counts
    cmp $work/linux-1.txt $work/linux-2.txt
    grep real $work/linux-1.txt
    rm $work/counted.raw
}

# The drivers of Linux on the ports: a printed page is found in the PDF's text, a loopback plug shows every modem line, two ports
# are joined by TCP, and the pointer is at the pixel that was asked for.
linux_parport() {
    command -v pdftotext >/dev/null || { echo "pdftotext is not installed"; exit 77; }
    prepare ports
    boot --kernel $O/guests/vmlinuz-686 --initrd $O/guests/initrd-ports.gz --append 'console=tty0 quiet' \
        --set parallel1.to=pdf:$work/lp --until 'SHELL READY' \
        --type 'dmesg | grep -E "parport0:|lp0:"\n' --until 'PC-style at 0x378' --until 'lp0: using parport0' \
        --type 'printf "Holdover \033Eprinted\033F this\012second line\f" >/dev/lp0 && echo DONE$((1+1))\n' --until 'DONE2' --for 110
    pdftotext -layout $work/lp/print1-*.pdf - | tee $work/lp.txt
    grep -q '^Holdover printed this' $work/lp.txt && grep -q '^second line' $work/lp.txt
}
linux_8250() {
    prepare ports
    boot --kernel $O/guests/vmlinuz-686 --initrd $O/guests/initrd-ports.gz --append 'console=tty0 quiet' --set serial2.to=loop \
        --set serial3.to=tcp-listen:47113 --set serial4.to=tcp:127.0.0.1:47113 --until 'SHELL READY' \
        --type '/ports modem /dev/ttyS1\n' --until 'PORTS MODEM OK' --type '/ports pair /dev/ttyS2 /dev/ttyS3\n' --until 'PORTS PAIR OK' --for 170
}
linux_pointer() {
    prepare ports
    boot --kernel $O/guests/vmlinuz-686 --initrd $O/guests/initrd-ports.gz --append 'console=tty0 quiet' \
        --set cpu.features=+hypervisor --until 'SHELL READY' \
        --type '/ports pointer 720 400\n' --until 'POINTER READY' --pointer 321,123 --until 'PORTS AT 321,123' --pointer 719,399,1 \
        --until 'BUTTON 0 down' --until 'PORTS AT 719,399' --pointer 1,1 --until 'BUTTON 0 up' --until 'PORTS AT 1,1' --for 110
}
# Three kinds of serial mouse at Linux's sermouse; "moved" counts from 1000.
linux_sermouse() {
    prepare ports
    for kind in microsoft:3 logitech:4 mousesystems:1; do
        boot --kernel $O/guests/vmlinuz-686 --initrd $O/guests/initrd-ports.gz --append 'console=tty0 quiet' --set serial2.to=mouse:${kind%:*} \
            --until 'SHELL READY' --type "/ports mouse /dev/ttyS1 ${kind#*:} &\\n" --type 'sleep 1; /ports pointer 720 400\n' --until 'POINTER READY' \
            --move 30,-7 --until 'PORTS MOVED 1030,993' --move 300,200,1 --until 'BUTTON 0 down' --until 'PORTS MOVED 1330,1193' \
            --move 0,0,2 --until 'BUTTON 1 down' --for 110
    done
}
# DOS prints by COPY, and sends by COPY to COM2.
freedos_ports() {
    need $corpus/freedos/freedos-boot-1440.img
    command -v pdftotext >/dev/null || { echo "pdftotext is not installed"; exit 77; }
    boot --profile generic-dos --floppy $corpus/freedos/freedos-boot-1440.img --set parallel1.to=pdf:$work/dos-lpt --set serial2.to=file:$work/com2.txt \
        --until 'A:\>' --type 'copy readme.txt lpt1\n' --until '=> lpt1' --until 'A:\>' --type 'copy readme.txt com2\n' --until '=> com2' \
        --type 'ver\n' --until 'FreeCom' --for 100 --screenshot $work/dos-ports.png
    mtype -i $corpus/freedos/freedos-boot-1440.img ::README.TXT | tr -d '\r' | sed 's/ *$//' >$work/readme.txt
    pdftotext -layout $work/dos-lpt/print1-*.pdf - | tr -d '\f' | sed 's/ *$//' | diff -B $work/readme.txt -
    mtype -i $corpus/freedos/freedos-boot-1440.img ::README.TXT | cmp - $work/com2.txt
}
# The real driver of a card: ping, 20 MB from the host and 20 MB to it, with their SHA-256.   card module [option...]
net_card() { net_peer "$@" --set net.mode=nat; }
# The same in any mode; the host's and the guest's address: host_ip, guest_ip.
net_peer() {
    card=$1 nic=$2
    shift 2
    prepare kernel-686 net
    port=$((20000 + $$ % 20000))
    python3 $here/peer.py $port 20 ${host_ip:-} >$work/net-sum.txt &
    peer=$!
    boot --kernel $O/guests/vmlinuz-686 --initrd $O/guests/initrd-net.gz --serial $work/net.txt --set net.card=$card "$@" \
        --append "console=ttyS0 quiet nic=$nic ip=${guest_ip:-10.0.2.15} gw=${host_ip:-10.0.2.2} port=$port" --until 'NET END' --for 220 || bad=1
    kill $peer
    cat $work/net.txt
    grep "DRIVER $nic 02:48:4f" $work/net.txt
    grep '3 packets transmitted, 3 packets received' $work/net.txt
    grep "GET $(cat $work/net-sum.txt)" $work/net.txt
    grep "PUT $(cat $work/net-sum.txt)" $work/net.txt
    [ -z "${bad:-}" ]
}
net_pcnet() { net_card pcnet pcnet32; }
net_pcnet_fast() { net_card pcnet-fast pcnet32; }
net_ne2000() { net_card ne2000 ne; }
net_rtl8029() { net_card rtl8029 ne2k-pci; }
net_rtl8139() { net_card rtl8139 8139too --set net.capture=$work/net.pcap; file $work/net.pcap | grep 'pcap capture'; }
net_dec21140() { net_card dec21140 tulip; }
net_e1000() { net_card e1000 e1000; }
net_i82543gc() { net_card i82543gc e1000; }

# On a tap device of the host, in a network namespace so that nothing of the host's own network is touched.
net_tap() {
    need /dev/net/tun
    unshare -rn true || { echo "this host lets nobody make a network namespace"; exit 77; }
    prepare kernel-686 net
    unshare -rn sh -c ". $here/lib.sh; . $here/cases.sh; net_tap_inside"
}
net_tap_inside() {
    ip tuntap add dev holdover0 mode tap || { echo "this host lets nobody make a tap device"; exit 77; }
    ip address add 10.1.0.1/24 dev holdover0
    ip link set holdover0 up
    guest_ip=10.1.0.2 host_ip=10.1.0.1
    net_peer rtl8139 8139too --set 'net.mode=tap holdover0'
    ip -s link show holdover0
}

# iPXE's own drivers, from its option ROMs, get an address from each card that it has one for.
net_ipxe() {
    for pair in pcnet:pcnet rtl8139:rtl8139 rtl8029:ne2k_pci e1000:e1000; do
        rom=/usr/lib/ipxe/qemu/pxe-${pair#*:}.rom
        need $rom
        boot --set net.card=${pair%:*} --set net.mode=nat --set net.rom=$rom --until 'net0: 10.0.2.15' --for 110 --screenshot $work/ipxe.png
    done
}

# Two guests with different cards on a private link, no daemon: ping, 20 MB with SHA-256.
net_private() {
    prepare kernel-686 net
    linux="--kernel $O/guests/vmlinuz-686 --initrd $O/guests/initrd-net.gz --memory 96M"
    "$holdover" boot --headless $linux --serial $work/server.txt --set net.card=pcnet --set 'net.mode=private tests' --set net.mac=02:48:4f:00:00:01 \
        --append 'console=ttyS0 quiet role=server ip=10.1.0.1' --for 220 >$work/server-run.txt 2>&1 &
    server=$!
    for try in $(seq 150); do
        grep -aq 'SERVER READY' $work/server.txt 2>/dev/null && break
        sleep 1
    done
    boot $linux --serial $work/client.txt --set net.card=rtl8139 --set net.mode=private:tests --set net.mac=02:48:4f:00:00:02 \
        --append 'console=ttyS0 quiet role=client ip=10.1.0.2 peer=10.1.0.1' --until 'NET END' --for 150 || bad=1
    kill $server
    wait $server || true
    cat $work/server.txt $work/client.txt
    sum=$(sed -n 's/.*SUM \([0-9a-f]*\).*/\1/p' $work/server.txt)
    [ ${#sum} = 64 ]
    grep '3 packets transmitted, 3 packets received' $work/client.txt
    grep "GET $sum" $work/client.txt
    [ -z "${bad:-}" ]
}

# The imported server keeps its address 192.168.1.17 behind 192.168.1.1; its telnet answers on a port of the host.
payroll_net() {
    prepare disk
    $holdover import $O/guests/payroll.raw --name payroll-net
    cat $HOLDOVER_HOME/payroll-net/guest.profile
    port=$((20000 + $$ % 20000))
    $holdover run payroll-net --headless --set net.mode=nat --set net.forward=tcp:$port:23 --for 600 &
    run=$!
    python3 $here/telnet.py $port || bad=1
    $holdover kill payroll-net
    wait $run || true
    $holdover remove payroll-net </dev/null
    [ -z "${bad:-}" ]
}
# The collector for DOS, as DEBUG makes it of COLLECT.BAT; what it finds is pinned at an import.
collect_dos() {
    need $corpus/freedos/freedos-boot-1440.img
    command -v mtype >/dev/null || { echo "mtools are not installed"; exit 77; }
    python3 - drivers/collect/COLLECT.BAT $work/collect.com <<'EOF'
import re, sys
script = open(sys.argv[1], newline="").read().split("goto run\r\n")[1].split("\r\nq\r\n")[0].split("\r\n")
memory, length = bytearray(65536), int(script[script.index("rcx") + 1], 16)
for line in script:
    if m := re.fullmatch("e ([0-9a-f]{4})((?: [0-9a-f]{2})+)", line):
        memory[int(m[1], 16):int(m[1], 16) + len(m[2]) // 3] = bytes.fromhex(m[2])
assert script[0] == "n collect.com" and script[-1] == "w" and length > 1000
open(sys.argv[2], "wb").write(memory[0x100:0x100 + length])
EOF
    cp $corpus/freedos/freedos-boot-1440.img $work/f.img && chmod u+w $work/f.img
    MTOOLS_SKIP_CHECK=1 mcopy -i $work/f.img $work/collect.com ::COLLECT.COM
    truncate -s 20M $work/d.raw
    printf '\200\001\001\000\006\017\077\047\077\000\000\000\201\235\000\000' | dd of=$work/d.raw bs=1 seek=446 conv=notrunc 2>/dev/null
    printf '\125\252' | dd of=$work/d.raw bs=1 seek=510 conv=notrunc 2>/dev/null
    boot --profile generic-dos --floppy $work/f.img,rw --disk $work/d.raw --set 'disk0.model=QUANTUM FIREBALL ST3.2A' --set disk0.serial=153712345 \
        --set disk0.firmware=A0F.0D --set 'cdrom0.model=TOSHIBA CD-ROM XM-6202B' --cdrom $work/d.raw --set net.card=rtl8029 --set cpu.model=pentium-mmx \
        --memory 48M --until 'A:\>' --type 'collect >identity.txt\n' --type 'type identity.txt\n' --until 'pci=10ec:8029' --for 100
    MTOOLS_SKIP_CHECK=1 mtype -i $work/f.img ::IDENTITY.TXT >$work/identity.txt
    grep '^bios.date=06/23/99' $work/identity.txt
    "$holdover" import --dry-run --no-inspect --identity $work/identity.txt $work/d.raw | tee $work/import.txt
    for pin in 'disk0.model = QUANTUM FIREBALL ST3.2A ' 'disk0.serial = 153712345 ' 'disk0.firmware = A0F.0D ' 'cdrom0.model = TOSHIBA CD-ROM XM-6202B ' \
        'net.card = rtl8029 ' 'cpu.model = pentium-mmx ' 'machine.memory = 48M '; do
        grep -qF "$pin" $work/import.txt || { echo "no pin $pin"; return 1; }
    done
}
# The old machine's BIOS and board, as Linux reads them from SMBIOS's tables.
smbios() {
    prepare kernel-686
    boot --kernel $O/guests/vmlinuz-686 --initrd $O/guests/initrd-686.gz --append 'console=tty0 quiet' --set 'smbios.bios-vendor=Award Software' \
        --set smbios.bios-date=04/26/2000 --set smbios.serial=XYZ123 --set smbios.board-serial=MB-0001 --set smbios.board-vendor=Acme \
        --set smbios.uuid=564d1f3a-0b7c-4e2d-9a61-00505612ab34 --until 'SHELL READY' \
        --type 'mount -t sysfs s /mnt; cd /mnt/class/dmi/id; cat bios_vendor bios_date board_vendor product_uuid product_serial board_serial\n' \
        --until 'Award Software' --until '04/26/2000' --until 'Acme' --until '564d1f3a-0b7c-4e2d-9a61-00505612ab34' --until 'XYZ123' --until 'MB-0001' --for 150
}
