"""DOS, Windows on top of it, and what else lives on FAT: trees with the few bytes that a reader of versions looks at."""
import calendar

from base import boot_code, disk, fat, get, mbr, ne, pe, put, SECTOR
from registry import creg

GEOMETRY = (16, 63)


def day(year, month=6, date=1):
    return calendar.timegm((year, month, date, 6, 22, 0))


def msdos_files(version="6.22", years="1981-1994"):
    major = version.split(".")[0]
    banner = "\r\n\r\nMicrosoft(R) MS-DOS(R) Version %s\r\n             (C)Copyright Microsoft Corp %s.\r\n" % (version, years)
    if float(version) < 4:
        banner = "\r\nMicrosoft(R) MS-DOS(R)  Version %s\r\n             (C)Copyright Microsoft Corp %s\r\n" % (version, years)
    notice = "MS DOS Version %s (C)Copyright %s Microsoft Corp Licensed Material - Property of Microsoft All rights reserved " % (
        version if float(version) < 4 else major + ".00" if float(version) < 6 else major, years)
    return {"IO.SYS": b"\xe9\x45\x01" + notice.encode() + bytes(400), "MSDOS.SYS": b"\xe9\x12\x2b" + notice.encode() + bytes(600),
            "COMMAND.COM": b"\xe9\x5d\x14" + notice.encode() + banner.encode() + b"\0" * 100 + b"\r\nMS-DOS Version %1.%2\r\n\0"}


MSDOS_BOOT = b"\r\nNon-System disk or disk error\r\nReplace and press any key when ready\r\n\0IO      SYSMSDOS   SYS"
IBM_BOOT = b"\r\nNon-System disk or disk error\r\nReplace and press any key when ready\r\n\0IBMBIO  COMIBMDOS  COM"


def one_fat(path, tree, cylinders=65, bits=16, kind=6, boot=MSDOS_BOOT, year=1994, heads=16, sectors=63, code=None, **more):
    place, = disk(path, cylinders, heads, sectors, [(kind, 0, cylinders, True)], code or boot_code(
        b"Invalid partition table\0Error loading operating system\0Missing operating system\0"))
    fat(path, place, tree, bits, code=boot, when=day(year), geometry=(heads, sectors), **more)
    return place


def msdos622(path):
    """A DOS workstation of a Novell network, with dBASE and WordPerfect, set up for Germany."""
    tree = msdos_files()
    tree.update({
        "CONFIG.SYS": "DEVICE=C:\\DOS\\HIMEM.SYS\r\nDEVICE=C:\\DOS\\EMM386.EXE NOEMS\r\nDOS=HIGH,UMB\r\nFILES=60\r\nBUFFERS=30\r\n"
                      "COUNTRY=049,437,C:\\DOS\\COUNTRY.SYS\r\nLASTDRIVE=Z\r\n",
        "AUTOEXEC.BAT": "@ECHO OFF\r\nPROMPT $P$G\r\nPATH C:\\DOS;C:\\NWCLIENT\r\nKEYB GR,437,C:\\DOS\\KEYBOARD.SYS\r\nSET TEMP=C:\\TEMP\r\n"
                        "SET BLASTER=A220 I5 D1 T4\r\nC:\\NWCLIENT\\LSL\r\nC:\\NWCLIENT\\NE2000\r\nC:\\NWCLIENT\\IPXODI\r\nC:\\NWCLIENT\\VLM\r\n",
        "NWCLIENT/NET.CFG": "Link Driver NE2000\r\n    PORT 300\r\n    INT 5\r\n    FRAME Ethernet_802.2\r\n\r\nNetWare DOS Requester\r\n"
                            "    FIRST NETWORK DRIVE = F\r\n    PREFERRED SERVER = BUERO\r\n",
        "NWCLIENT/NE2000.COM": b"\xe9\0\0Novell NE2000 Ethernet MLID v2.02 (931015)\0", "NWCLIENT/VLM.EXE": b"MZ" + bytes(62),
        "DOS/HIMEM.SYS": b"\xff\xff\xff\xffMicrosoft XMS driver v3.10", "DOS/EMM386.EXE": b"MZ" + bytes(62), "DOS/FDISK.EXE": b"MZ" + bytes(62),
        "DOS/DRVSPACE.BIN": bytes(64), "DOS/COUNTRY.SYS": bytes(64), "DBASE/DBASE.EXE": b"MZ" + bytes(62), "WP51/WP.EXE": b"MZ" + bytes(62),
        "TEMP/": ""})
    one_fat(path, tree, label="BUERO", hidden=("IO.SYS", "MSDOS.SYS"))


def payload(path):
    """The disk that goes through the containers: text, noise that does not compress, and a hole."""
    import random
    tree = msdos_files()
    noise = random.Random(622)
    tree.update({"DATA/NOISE.BIN": noise.randbytes(5 << 20), "DATA/LEDGER.TXT": b"".join(b"%08d  %10.2f\r\n" % (n, noise.random() * 1e4) for n in range(90000))})
    one_fat(path, tree)


def msclient(path):
    """MS-DOS 5 with the Microsoft network client over TCP/IP and a 3Com card."""
    tree = msdos_files("5.00", "1981-1991")
    tree.update({
        "CONFIG.SYS": "DEVICE=C:\\DOS\\HIMEM.SYS\r\nDOS=HIGH\r\nFILES=30\r\ndevice=C:\\NET\\ifshlp.sys\r\nLASTDRIVE=Z\r\n",
        "AUTOEXEC.BAT": "C:\\NET\\net initialize\r\nC:\\NET\\netbind.com\r\nC:\\NET\\umb.com\r\nC:\\NET\\tcptsr.exe\r\nC:\\NET\\net start\r\n",
        "NET/SYSTEM.INI": "[network]\r\ncomputername=KASSE3\r\nlanroot=C:\\NET\r\nworkgroup=LADEN\r\nusername=KASSE\r\n"
                          "[network drivers]\r\nnetcard=elnk3.dos\r\ntransport=tcpdrv.dos,nemm.dos\r\ndevdir=C:\\NET\r\n",
        "NET/PROTOCOL.INI": "[network.setup]\r\nversion=0x3110\r\nnetcard=ms$elnk3,1,MS$ELNK3,1\r\ntransport=tcpip,TCPIP\r\n"
                            "[MS$ELNK3]\r\ndrivername=ELNK3$\r\n[TCPIP]\r\nNBSessions=6\r\nDefaultGateway0=10 1 4 1\r\nSubNetMask0=255 255 0 0\r\n"
                            "IPAddress0=10 1 4 33\r\nDisableDHCP=1\r\nDriverName=TCPIP$\r\nBINDINGS=MS$ELNK3\r\n",
        "NET/ELNK3.DOS": bytes(64), "NET/NET.EXE": b"MZ" + bytes(62), "DOS/HIMEM.SYS": bytes(32)})
    one_fat(path, tree, cylinders=40, year=1992)


def msdos33(path):
    """An XT's disk: 10 MB, 306 cylinders, 4 heads, 17 sectors, FAT12, no serial number in the BPB, the partition from sector 1."""
    place = (1, 306 * 4 * 17 - 1)
    disk(path, 306, 4, 17, [])
    from base import entry
    mbr(path, [entry(1, *place, (4, 17), True)])
    tree = msdos_files("3.30", "1981-1987")
    tree.update({"CONFIG.SYS": "FILES=20\r\nBUFFERS=20\r\n", "AUTOEXEC.BAT": "PROMPT $P$G\r\nPATH C:\\DOS\r\n", "DOS/FORMAT.COM": bytes(64),
                 "LOTUS/123.EXE": b"MZ" + bytes(62)})
    fat(path, place, tree, 12, b"MSDOS3.3", code=MSDOS_BOOT, when=day(1988), geometry=(4, 17))
    sector = bytearray(get(path, SECTOR, SECTOR))
    sector[38:62] = bytes(24)                                # the extended BPB came with DOS 4
    put(path, SECTOR, bytes(sector))


def pcdos7(path):
    tree = {"IBMBIO.COM": b"\xe9\x81\x01IBM DOS Version 7.0 (C)Copyright International Business Machines Corp 1981,1994 " + bytes(300),
            "IBMDOS.COM": b"\xe9\x81\x01IBM DOS Version 7.0 (C)Copyright International Business Machines Corp 1981,1994 " + bytes(300),
            "COMMAND.COM": b"\xe9\x81\x01\r\n\r\nPC DOS Version 7.0\r\n(C)Copyright International Business Machines Corp 1981-1994.\r\n"
                           b"IBM DOS Version 7.0 (C)Copyright IBM Corp 1981,1994 \0\r\nPC DOS Version %1.%2\r\n\0",
            "CONFIG.SYS": "FILES=40\r\nCOUNTRY=044,850,C:\\DOS\\COUNTRY.SYS\r\n", "AUTOEXEC.BAT": "KEYB UK,,C:\\DOS\\KEYBOARD.SYS\r\n",
            "DOS/E.EXE": b"MZ" + bytes(62), "DOS/REXX.EXE": b"MZ" + bytes(62)}
    one_fat(path, tree, cylinders=40, boot=IBM_BOOT, year=1995, oem=b"IBM  7.0")


def drdos6(path):
    tree = {"IBMBIO.COM": b"\xe9\x81\x01DR DOS BIOS Version 6.0 Copyright (c) Digital Research Inc. All rights reserved." + bytes(300),
            "IBMDOS.COM": b"\xe9\x81\x01COPYRIGHT (C) 1976,1982,1988,1990,1991 DIGITAL RESEARCH INC. ALL RIGHTS RESERVED.XXXX-0000-654321" + bytes(300),
            "COMMAND.COM": b"\xe9\x81\x01DR DOS Release 6.0\r\nCopyright (c) 1976,1982,1988,1990,1991 Digital Research Inc.  All rights reserved.\r\n" + bytes(99),
            "DCONFIG.SYS": "SHELL=C:\\COMMAND.COM C:\\ /P /E:512\r\nDEVICE=C:\\DRDOS\\EMM386.SYS /F=NONE\r\nHIDOS=ON\r\nHISTORY=ON,256\r\n",
            "AUTOEXEC.BAT": "@ECHO OFF\r\nPATH C:\\DRDOS\r\nVERIFY OFF\r\n", "DRDOS/EMM386.SYS": bytes(64), "DRDOS/VIEWMAX.EXE": b"MZ" + bytes(62)}
    one_fat(path, tree, cylinders=40, boot=IBM_BOOT, year=1991, oem=b"IBM  3.3")


def windows31(path):
    """Windows 3.1 on MS-DOS 6.20."""
    tree = msdos_files("6.20", "1981-1993")
    tree.update({
        "CONFIG.SYS": "DEVICE=C:\\DOS\\HIMEM.SYS\r\nDOS=HIGH\r\n", "AUTOEXEC.BAT": "PATH C:\\DOS;C:\\WINDOWS\r\nWIN\r\n",
        "WINDOWS/WIN.COM": b"\xe9\0\0" + bytes(61),
        "WINDOWS/WIN.INI": "[windows]\r\nload=\r\n[intl]\r\nsLanguage=dan\r\niCountry=45\r\n[fonts]\r\n[Microsoft Word 2.0]\r\nprogramdir=C:\\WINWORD\r\n",
        "WINDOWS/SYSTEM.INI": "[boot]\r\nshell=progman.exe\r\nmouse.drv=mouse.drv\r\ndisplay.drv=svga256.drv\r\n386grabber=vgadib.3gr\r\n"
                              "[boot.description]\r\ndisplay.drv=Super VGA (640x480, 256 colours)\r\n[386Enh]\r\ndevice=*vpd\r\n"
                              "[drivers]\r\nmidimapper=midimap.drv\r\nWave=sndblst2.drv\r\n",
        "WINDOWS/PROGMAN.EXE": ne(FileVersion="3.10", ProductName="Microsoft\xae Windows\x99 Operating System"),
        "WINDOWS/SYSTEM/KRNL386.EXE": ne(FileVersion="3.10", ProductVersion="3.10"), "WINDOWS/SYSTEM/GDI.EXE": ne(FileVersion="3.10"),
        "WINDOWS/SYSTEM/USER.EXE": ne(FileVersion="3.10"), "WINDOWS/SYSTEM/SVGA256.DRV": ne(FileVersion="3.10"),
        "WINDOWS/SYSTEM/WIN386.EXE": b"MZ" + bytes(62), "WINWORD/WINWORD.EXE": b"MZ" + bytes(62), "DOS/HIMEM.SYS": bytes(32)})
    one_fat(path, tree, label="KONTOR", year=1993)


def wfw311(path):
    """Windows for Workgroups 3.11 with Microsoft's TCP/IP-32 and an NE2000."""
    tree = msdos_files()
    tree.update({
        "CONFIG.SYS": "DEVICE=C:\\DOS\\HIMEM.SYS\r\nDEVICE=C:\\WINDOWS\\IFSHLP.SYS\r\nDOS=HIGH\r\n",
        "AUTOEXEC.BAT": "C:\\WINDOWS\\net start\r\nPATH C:\\WINDOWS;C:\\DOS\r\n", "WINDOWS/WIN.COM": bytes(64),
        "WINDOWS/WIN.INI": "[intl]\r\nsLanguage=enu\r\niCountry=1\r\n",
        "WINDOWS/SYSTEM.INI": "[boot]\r\nshell=progman.exe\r\ndisplay.drv=vga.drv\r\nnetwork.drv=wfwnet.drv\r\n[network]\r\n"
                              "ComputerName=STOCKROOM\r\nWorkgroup=DEPOT\r\nUserName=CLERK\r\nwinnet=wfwnet/00025100\r\n[network drivers]\r\n"
                              "netcard=ne2000.dos\r\ndevdir=C:\\WINDOWS\r\n[386Enh]\r\nnetwork=*vnetbios,*vwc,vnetsup.386,vredir.386,vserver.386\r\n"
                              "netcard3=ne2000.386\r\ntransport=nwlink.386,nwnblink.386,netbeui.386,vip.386\r\n[MSTCP]\r\n",
        "WINDOWS/PROTOCOL.INI": "[network.setup]\r\nversion=0x3110\r\nnetcard=ms$ne2clone,1,MS$NE2CLONE,3\r\ntransport=ms$mstcp,MS$MSTCP\r\n"
                                "[MS$NE2CLONE]\r\nIOBASE=0x300\r\nINTERRUPT=10\r\n[MSTCP32]\r\nBINDINGS=MS$NE2CLONE\r\nLANABASE=0\r\n"
                                "DefaultGateway=192.168.7.1\r\nSubNetMask=255.255.255.0\r\nIPAddress=192.168.7.21\r\nDriverName=MSTCP$\r\n",
        "WINDOWS/SYSTEM/KRNL386.EXE": ne((3, 11, 0, 300), FileVersion="3.11"), "WINDOWS/SYSTEM/GDI.EXE": ne((3, 11, 0, 300), FileVersion="3.11"),
        "WINDOWS/SYSTEM/USER.EXE": ne((3, 11, 0, 300), FileVersion="3.11"), "WINDOWS/SYSTEM/VNETSUP.386": bytes(64),
        "WINDOWS/SYSTEM/NE2000.386": bytes(64), "WINDOWS/WFWSETUP.INI": "x\r\n", "WINDOWS/PROGMAN.EXE": ne((3, 11, 0, 300), FileVersion="3.11")})
    one_fat(path, tree, year=1994)


def registry9x(product, number, sub="", name="RECEPTION", nic=None, address=None, apps=(), more=None):
    service = {"Class": {
        "hdc": {"0000": {"DriverDesc": "Intel 82371AB/EB PCI Bus Master IDE Controller", "PortDriver": "ESDI_506.pdr"}},
        "Display": {"0000": {"DriverDesc": "S3 Inc. ViRGE DX/GX PCI", "InfPath": "MSDISP.INF", "DEFAULT": {"drv": "s3mm.drv", "vdd": "*vdd,*vflatd,s3mini.vxd"}}},
        "MEDIA": {"0000": {"DriverDesc": "Creative Labs Sound Blaster 16 or AWE-32", "Driver": "sb16.vxd"}}}}
    if nic:
        service["Class"]["Net"] = {"0000": {"DriverDesc": nic[0], "DeviceVxDs": nic[1], "InfPath": "NETAMD.INF",
                                            "Ndi": {"": "", "params": {}, "DeviceID": nic[2]}}}
    mstcp = {"HostName": name.lower(), "EnableDNS": "1", "Domain": "hotel.example"}
    trans = {"DriverDesc": "TCP/IP", "InfPath": "NETTRANS.INF", "IPAddress": "0.0.0.0", "IPMask": "0.0.0.0", "DefaultGateway": ""}
    if address:
        trans.update({"IPAddress": address[0], "IPMask": address[1], "DefaultGateway": address[2]})
        mstcp["NameServer"] = address[3]
    service["Class"]["NetTrans"] = {"0000": trans}
    service["VxD"] = {"VNETSUP": {"ComputerName": name, "Workgroup": "HOTEL", "StaticVxD": "vnetsup.vxd"}, "MSTCP": mstcp}
    version = {"ProductName": product, "Version": product.replace("Microsoft ", ""), "VersionNumber": number, "RegisteredOwner": "F. Jones",
               "RegisteredOrganization": "Grand Hotel", "FirstInstallDateTime": b"\x21\x2b\x4c\x6a", "Uninstall": {
                   k: {"DisplayName": k, "UninstallString": "C:\\WINDOWS\\UNINST.EXE"} for k in apps}}
    if sub:
        version["SubVersionNumber"] = sub
    enum = {"PCI": {"VEN_8086&DEV_7111&SUBSYS_00000000&REV_01": {"BUS_00&DEV_07&FUNC_01": {"Class": "hdc", "Driver": "hdc\\0000"}}},
            "ROOT": {"PRINTER": {}}}
    if nic:
        enum["PCI"]["VEN_1022&DEV_2000&SUBSYS_20001022&REV_02"] = {"BUS_00&DEV_0B&FUNC_00": {
            "Class": "Net", "Driver": "Net\\0000", "DeviceDesc": nic[0], "Mfg": "Advanced Micro Devices"}}
    root = {"Config": {"0001": {"Display": {"Settings": {"BitsPerPixel": "16", "Resolution": "800,600"}}}}, "Enum": enum, "hardware": {
                "DESCRIPTION": {"System": {"CentralProcessor": {"0": {"Identifier": "Pentium(r) II Processor", "VendorIdentifier": "GenuineIntel"}}}}},
            "Software": {"Microsoft": {"Windows": {"CurrentVersion": version}}, "CLASSES": {".txt": {"": "txtfile"}}},
            "System": {"CurrentControlSet": {"Control": {"ComputerName": {"ComputerName": {"ComputerName": name}},
                       "Nls": {"Locale": {"": "00000409"}}, "TimeZoneInformation": {"StandardName": "Pacific Standard Time"}},
                       "Services": service}}}
    return root


USER = {"Control Panel": {"International": {"Locale": "00000409"}}, "Software": {"Microsoft": {"Windows": {"CurrentVersion": {"Explorer": {}}}}}}


def tree9x(winver, registry, banner, version, extra=None):
    text = ";FORMAT\r\n[Paths]\r\nWinDir=C:\\WINDOWS\r\nWinBootDir=C:\\WINDOWS\r\nHostWinBootDrv=C\r\n\r\n[Options]\r\nBootMulti=1\r\nBootGUI=1\r\n"
    if winver:
        text += "DoubleBuffer=1\r\nAutoScan=1\r\nWinVer=%s\r\n" % winver
    text += ";\r\n;The following lines are required for compatibility with other programs.\r\n;Do not remove them (MSDOS.SYS needs to be >1024 bytes).\r\n"
    text += "".join(";" + "x" * 71 + c + "\r\n" for c in "abcdefghijklmnopqr")
    tree = {"IO.SYS": b"MZ\x27\x01" + b"\0" * 600 + banner.encode() + b"\0" * 800, "MSDOS.SYS": text,
            "COMMAND.COM": b"\xe9\x5d\x14" + ("\r\n\r\nMicrosoft(R) Windows %s\r\n   (C)Copyright Microsoft Corp 1981-%s.\r\n" % (
                "95" if version[1] == 0 else "98" if version[1] == 10 else "Millennium", "1996" if version[1] == 0 else "1999")).encode(),
            "CONFIG.SYS": "", "AUTOEXEC.BAT": "", "WINDOWS/WIN.COM": b"MZ" + bytes(62), "WINDOWS/WIN.INI": "[windows]\r\nload=\r\n",
            "WINDOWS/SYSTEM.INI": "[boot]\r\nsystem.drv=system.drv\r\ndrivers=mmsystem.dll\r\nshell=Explorer.exe\r\nnetwork.drv=\r\n"
                                  "[386Enh]\r\ndevice=*vshare\r\n[vcache]\r\n", "WINDOWS/SYSTEM.DAT": registry, "WINDOWS/USER.DAT": creg(USER),
            "WINDOWS/SYSTEM/KRNL386.EXE": ne(version, FileVersion="%d.%d" % version[:2]), "WINDOWS/SYSTEM/KERNEL32.DLL": pe(version),
            "WINDOWS/SYSTEM/VMM32.VXD": b"MZ" + bytes(62), "WINDOWS/SYSTEM/IOSUBSYS/ESDI_506.PDR": bytes(64), "WINDOWS/EXPLORER.EXE": pe(version),
            "Program Files/Accessories/MSPAINT.EXE": pe(version), "Program Files/Hotel Desk/desk.exe": pe((1, 2, 0, 0))}
    tree.update(extra or {})
    return tree


BOOT9X = b"\xa0\x0a\x0d\nInvalid system disk\xff\r\nDisk I/O error\xff\r\nReplace the disk, and then press any key\r\n\0IO      SYSMSDOS   SYS"


def windows95(path):
    reg = creg(registry9x("Microsoft Windows 95", "4.00.950", name="PACKING", nic=("Novell/Anthem NE2000 compatible", "ne2000.sys", "*PNP80D6")))
    one_fat(path, tree9x(None, reg, "Starting Windows 95...", (4, 0, 0, 950)), cylinders=130, oem=b"MSWIN4.0", boot=BOOT9X, year=1996)


def windows95c(path):
    reg = creg(registry9x("Microsoft Windows 95", "4.00.1111", " C", name="OSR2"))
    one_fat(path, tree9x(None, reg, "Starting Windows 95...", (4, 0, 0, 1111)), cylinders=700, bits=32, kind=0xc, oem=b"MSWIN4.1", boot=BOOT9X, year=1997)


def tree98(**more):
    reg = creg(registry9x("Microsoft Windows 98", "4.10.2222", " A ", nic=("AMD PCNET Family Ethernet Adapter (PCI&ISA)", "pcntn3.vxd", "PCI\\VEN_1022&DEV_2000"),
                          address=("192.168.3.11", "255.255.255.0", "192.168.3.1", "192.168.3.2"), apps=("Acme Hotel Desk 1.2", "WinZip"), **more))
    return tree9x("4.10.2222", reg, "Starting Windows 98...", (4, 10, 0, 2222), {
        "WINDOWS/SYSTEM/PCNTN3.VXD": bytes(64), "WINDOWS/HOSTS": "192.168.3.9 server\r\n"})


def windows98(path):
    one_fat(path, tree98(), cylinders=700, bits=32, kind=0xc, oem=b"MSWIN4.1", boot=BOOT9X, year=1999, label="FRONTDESK", hidden=("IO.SYS",))


def windowsme(path):
    reg = creg(registry9x("Microsoft Windows Millennium Edition", "4.90.3000", name="FAMILY"))
    one_fat(path, tree9x("4.90.3000", reg, "Starting Windows Millennium Edition", (4, 90, 0, 3000)), cylinders=700, bits=32, kind=0xc, oem=b"MSWIN4.1",
            boot=BOOT9X, year=2000)


def freedos(path, corpus="../shared/corpus/freedos/freedos-std-1440.img"):
    """FreeDOS from the corpus's floppy."""
    import os
    import tempfile
    from base import Skip, run
    if not os.path.exists(corpus):
        raise Skip(corpus + " is absent")
    with tempfile.TemporaryDirectory() as folder:
        run("mcopy", "-i", corpus, "-s", "-m", "-Q", "-n", "::", folder)
        tree = {}
        for top, _, names in os.walk(folder):
            for name in names:
                full = os.path.join(top, name)
                with open(full, "rb") as f:
                    tree[os.path.relpath(full, folder)] = f.read()
        first = [n for n in tree if n.upper() == "KERNEL.SYS"]
        one_fat(path, {n: tree[n] for n in first + [n for n in tree if n not in first]}, boot=b"FreeDOS\0KERNEL  SYS", oem=b"FRDOS4.1", year=2004)


def floppy(path, corpus="../shared/corpus/freedos/freedos-boot-1440.img"):
    import os
    import shutil
    from base import Skip
    if not os.path.exists(corpus):
        raise Skip(corpus + " is absent")
    shutil.copyfile(corpus, path)


def netware(path):
    """A DOS partition that starts SERVER.EXE, and a NetWare partition with the text of its AUTOEXEC.NCF somewhere in it."""
    dos, nw = disk(path, 130, 16, 63, [(6, 0, 40, True), (0x65, 40, 90, False)])
    tree = msdos_files()
    tree.update({"AUTOEXEC.BAT": "@ECHO OFF\r\nCD \\NWSERVER\r\nSERVER\r\n", "CONFIG.SYS": "FILES=30\r\n",
                 "NWSERVER/SERVER.EXE": b"MZ" + bytes(62) + b"Novell NetWare 4.11  August 22, 1996\0(C) Copyright 1983-1996 Novell Inc.  All Rights Reserved.\0",
                 "NWSERVER/STARTUP.NCF": "LOAD IDE.DSK PORT=1F0 INT=E\r\n", "NWSERVER/IDE.DSK": bytes(64), "NWSERVER/CLIB.NLM": b"NetWare Loadable Module\x1a" + bytes(40)})
    fat(path, dos, tree, code=MSDOS_BOOT, when=day(1997))
    put(path, (nw[0] + 0x20) * SECTOR, b"HOTFIX00" + bytes(504))
    put(path, (nw[0] + 0x21) * SECTOR, b"MIRROR00" + bytes(504))
    put(path, (nw[0] + 0x100) * SECTOR, b"NetWare Volumes\0" + bytes(8) + b"\x03SYS")
    put(path, (nw[0] + 0x800) * SECTOR, b"set Time Zone = MST7MDT\r\nfile server name ACCOUNTS\r\nipx internal net 2F4A1C\r\nload conlog\r\n"
        b"LOAD PCNTNW PORT=FCE0 FRAME=ETHERNET_II NAME=NET1\r\nLOAD TCPIP\r\nBIND IP TO NET1 ADDR=192.168.9.2 MASK=255.255.255.0 GATE=192.168.9.1\r\nmount all\r\n")


def superfloppy(path):
    """A FAT16 volume without a partition table: ZIP disks, and what some card readers made."""
    from base import blank
    blank(path, 96 * 1024 * 1024)
    tree = msdos_files()
    tree["DATA/LEDGER.DBF"] = b"\x03" + bytes(200)
    fat(path, (0, 96 * 2048), tree, code=MSDOS_BOOT, when=day(1996), geometry=(64, 32), label="ZIP-100")
