"""Windows NT, 2000, XP: trees on FAT and NTFS, hives by our own writer."""
from base import boot_code, disk, fat, ntfs, pe
from dos import BOOT9X, GEOMETRY, day, one_fat, tree98
from registry import Expand, regf

NT_BOOT = b"BOOT: Couldn't find NTLDR\r\n\0NTLDR      "
NTLDR = b"\xe9\xd5\x01\xeb\x04" + bytes(200) + b"OS Loader V4.01\r\n\0"


def boot_ini(title, folder="WINNT", partition=1, first="multi(0)disk(0)rdisk(0)", more=""):
    where = "%spartition(%d)\\%s" % (first, partition, folder)
    return "[boot loader]\r\ntimeout=30\r\ndefault=%s\r\n[operating systems]\r\n%s=\"%s\" %s\r\n" % (where, where, title, more)


def service(kind=1, start=0, path=None, group=None, **more):
    key = {"Type": kind, "Start": start, "ErrorControl": 1}
    if path:
        key["ImagePath"] = Expand(path)
    if group:
        key["Group"] = group
    key.update(more)
    return key


def system_hive(name, product_type="WinNT", services=None, control=None, tcpip=None, year=1999, current=1, enum=None):
    sets = {"Control": {"ComputerName": {"ComputerName": {"ComputerName": name}, "ActiveComputerName": {"ComputerName": name}},
                        "ProductOptions": {"ProductType": product_type}, "Nls": {"Language": {"Default": "0409", "InstallLanguage": "0409"}},
                        "TimeZoneInformation": {"Bias": 480, "StandardName": "Pacific Standard Time"}},
            "Services": {"Tcpip": service(1, 1, "\\SystemRoot\\System32\\drivers\\tcpip.sys", Parameters={"Hostname": name.lower(), **(tcpip or {})}),
                         "LanmanServer": service(32, 2, "%SystemRoot%\\System32\\services.exe"), "Disk": service(1, 0, group="Primary Disk"),
                         "Ntfs": service(2, 4), "Fastfat": service(2, 4), **(services or {})}}
    sets["Control"].update(control or {})
    if enum:
        sets["Enum"] = enum
    other = {"Control": {"ComputerName": {"ComputerName": {"ComputerName": "NOT-" + name}}}, "Services": {}}
    root = {"ControlSet001": sets if current == 1 else other, "ControlSet002": other if current == 1 else sets,
            "Select": {"Current": current, "Default": current, "Failed": 0, "LastKnownGood": 3 - current}, "Setup": {"SystemSetupInProgress": 0}}
    return regf(root, year=year)


def software_hive(version, build, product=None, csd=None, apps=(), cards=None, year=1999, more=None):
    key = {"CurrentVersion": version, "CurrentBuildNumber": build, "CurrentType": "Uniprocessor Free", "SystemRoot": "C:\\WINNT",
           "RegisteredOwner": "Purchasing", "InstallDate": 0x36a00000}
    if product:
        key["ProductName"] = product
    if csd:
        key["CSDVersion"] = csd
    if cards:
        key["NetworkCards"] = cards
    key.update(more or {})
    uninstall = {n: {"DisplayName": n, **({"DisplayVersion": v} if v else {})} for n, v in apps}
    return regf({"Microsoft": {"Windows NT": {"CurrentVersion": key}, "Windows": {"CurrentVersion": {"Uninstall": uninstall}}},
                 "Classes": {".txt": {"": "txtfile"}}}, year=year)


def tree_nt(root, system, software, version, hal, drivers, extra=None, product="Microsoft(R) Windows NT(R) Operating System"):
    text = "%d.%d.%d.%d" % version
    tree = {"NTLDR": NTLDR, "NTDETECT.COM": b"MZ" + bytes(62), root + "/system32/ntoskrnl.exe": pe(version, OriginalFilename="ntoskrnl.exe", FileVersion=text, ProductName=product),
            root + "/system32/hal.dll": pe(version, InternalName=hal, OriginalFilename=hal, FileVersion=text, FileDescription="Hardware Abstraction Layer DLL"),
            root + "/system32/cmd.exe": pe(version, FileVersion=text), root + "/system32/kernel32.dll": pe(version, FileVersion=text),
            root + "/explorer.exe": pe(version, FileVersion=text), root + "/system32/config/SYSTEM": system, root + "/system32/config/SOFTWARE": software,
            root + "/system32/config/SAM": regf({"SAM": {}}), root + "/system32/config/SECURITY": regf({"Policy": {}}),
            root + "/system32/config/DEFAULT": regf({"Control Panel": {"International": {"Locale": "00000409"}}}), root + "/win.ini": "; for 16-bit app support\r\n"}
    for name in drivers:
        tree[root + "/system32/drivers/" + name] = pe(version, FileVersion=text)
    tree.update(extra or {})
    return tree


def nt351(path):
    """NT 3.51 Workstation on FAT, an Adaptec adapter, NE2000, no CSD."""
    system = system_hive("DRAWING", year=1996, services={
        "aic78xx": service(1, 0, group="SCSI miniport"), "NE20001": service(1, 2, "\\SystemRoot\\System32\\drivers\\ne2000.sys", "NDIS", Parameters={
            "Tcpip": {"EnableDHCP": 0, "IPAddress": ["192.168.20.4"], "SubnetMask": ["255.255.255.0"], "DefaultGateway": ["192.168.20.254"]}}),
        "NE2000": service(1, 3, "\\SystemRoot\\System32\\drivers\\ne2000.sys", "NDIS"), "cirrus": service(1, 1, "\\SystemRoot\\System32\\drivers\\cirrus.sys", "Video")})
    software = software_hive("3.51", "1057", csd="Service Pack 5", year=1996, cards={"01": {"ServiceName": "NE20001", "Title": "[01] Novell NE2000 Adapter"}})
    tree = tree_nt("WINNT35", system, software, (3, 51, 1057, 1), "hal.dll", ("atdisk.sys", "aic78xx.sys", "ne2000.sys", "cirrus.sys"))
    tree["BOOT.INI"] = boot_ini("Windows NT Workstation Version 3.51", "WINNT35", first="scsi(0)disk(0)rdisk(0)")
    tree["NTBOOTDD.SYS"] = bytes(64)
    one_fat(path, tree, cylinders=130, boot=NT_BOOT, year=1996)


NT4_SERVICES = {
    "atapi": service(1, 0, group="SCSI miniport"),
    "AMDPCN": service(1, 3, "\\SystemRoot\\System32\\drivers\\amdpcn.sys", "NDIS"),
    "AMDPCN1": service(1, 3, "\\SystemRoot\\System32\\drivers\\amdpcn.sys", "NDIS", Parameters={
        "BusType": 5, "Tcpip": {"EnableDHCP": 0, "IPAddress": ["192.168.1.30"], "SubnetMask": ["255.255.255.0"], "DefaultGateway": ["192.168.1.1"]}}),
    "cirrus": service(1, 1, "\\SystemRoot\\System32\\drivers\\cirrus.sys", "Video"), "sndblst": service(1, 1, "\\SystemRoot\\System32\\drivers\\sndblst.sys"),
    "MSFTPSVC": service(32, 2, "C:\\WINNT\\System32\\inetsrv\\inetinfo.exe"), "W3SVC": service(32, 3, "C:\\WINNT\\System32\\inetsrv\\inetinfo.exe")}


def tree_nt4():
    system = system_hive("ORDERS", "ServerNT", NT4_SERVICES, tcpip={"Domain": "acme.example", "NameServer": "192.168.1.2"}, current=2)
    software = software_hive("4.0", "1381", csd="Service Pack 6", apps=(("Order Entry", "2.5"), ("Oracle7 Client", "")),
                             cards={"1": {"ServiceName": "AMDPCN1", "Title": "[1] AMD PCNET Family Ethernet Adapter"}})
    return tree_nt("WINNT", system, software, (4, 0, 1381, 7058), "halmps.dll", ("atapi.sys", "amdpcn.sys", "cirrus.sys", "sndblst.sys", "ntfs.sys"), {
        "WINNT/repair/setup.log": "[Files.WinNt]\r\n\\WINNT\\system32\\hal.dll = \"halmps.dll\",\"1a2b3\"\r\n"})


def nt4(path):
    """NT 4 Server on NTFS with its FAT-less boot; the current control set is the second."""
    place, = disk(path, 130, 16, 63, [(7, 0, 130, True)], disk_id=0x19990101)
    tree = tree_nt4()
    tree["boot.ini"] = boot_ini("Windows NT Server Version 4.00")
    ntfs(path, place, tree, "SYSTEM", 16)


def nt4fat(path):
    """The same on FAT16."""
    tree = tree_nt4()
    tree["BOOT.INI"] = boot_ini("Windows NT Server Version 4.00")
    one_fat(path, tree, cylinders=130, boot=NT_BOOT, year=1999)


NIC = "{4D36E972-E325-11CE-BFC1-08002BE10318}"
INTERFACE = "{8B1C2D3E-0000-4A5B-9C8D-112233445566}"


def nt5_hive(name, address, nic, storage, product_type, year, acpi=True, more=None):
    services = {s: service(1, 0, "System32\\DRIVERS\\%s.sys" % s, "SCSI miniport") for s in storage}
    services[nic[0]] = service(1, 3, "System32\\DRIVERS\\" + nic[1], "NDIS")
    services["Tcpip"] = service(1, 1, "System32\\DRIVERS\\tcpip.sys", Parameters={"Hostname": name.lower(), "Domain": "corp.example", "Interfaces": {
        INTERFACE: {"EnableDHCP": 0, "IPAddress": [address], "SubnetMask": ["255.255.254.0"], "DefaultGateway": ["10.2.0.1"], "NameServer": "10.2.0.10,10.2.0.11"}}})
    services.update(more or {})
    control = {"Class": {NIC: {"": "Network adapters", "0001": {"DriverDesc": nic[2], "NetCfgInstanceId": INTERFACE, "MatchingDeviceId": nic[3],
                                                                  "ComponentId": nic[3]}}}}
    hal = "ACPI_HAL" if acpi else "PCI_HAL"
    enum = {"Root": {hal: {"0000": {"HardwareID": ["acpipic_up" if acpi else "e_isa_up"], "Service": "\\Driver\\" + hal, "DeviceDesc": (
            "Advanced Configuration and Power Interface (ACPI) PC" if acpi else "Standard PC")}}},
            "PCI": {"VEN_1022&DEV_2000&SUBSYS_20001022&REV_40": {"3&267a616a&0&88": {"Service": nic[0], "ClassGUID": NIC, "DeviceDesc": nic[2]}}}}
    return system_hive(name, product_type, services, control, year=year, enum=enum)


def win2000(path):
    """Windows 2000 Server, FAT32, standard PC HAL, RTL8139, terminal services."""
    nic = ("rtl8139", "RTL8139.SYS", "Realtek RTL8139(A) PCI Fast Ethernet Adapter", "pci\\ven_10ec&dev_8139")
    system = nt5_hive("FILES01", "10.2.0.20", nic, ("atapi", "intelide"), "ServerNT", 2002, acpi=False, more={
        "TermService": service(16, 2, "%SystemRoot%\\System32\\termsrv.exe"), "TlntSvr": service(16, 2, "%SystemRoot%\\system32\\tlntsvr.exe"),
        "SMTPSVC": service(32, 2, "C:\\WINNT\\System32\\inetsrv\\inetinfo.exe")})
    software = software_hive("5.0", "2195", "Microsoft Windows 2000", "Service Pack 4", (("Backup Exec", "8.6"),), year=2002)
    tree = tree_nt("WINNT", system, software, (5, 0, 2195, 6717), "hal.dll", ("atapi.sys", "intelide.sys", "rtl8139.sys"))
    tree["BOOT.INI"] = boot_ini("Microsoft Windows 2000 Server", more="/fastdetect")
    one_fat(path, tree, cylinders=700, bits=32, kind=0xc, boot=NT_BOOT, year=2002)


def winxp(path, cylinders=130):
    """Windows XP Professional, NTFS, ACPI, German set-up language would be 0407; here English; PCnet."""
    nic = ("PCnet", "pcntpci5.sys", "AMD PCNET Family PCI Ethernet Adapter", "pci\\ven_1022&dev_2000")
    system = nt5_hive("PLOTTER-PC", "10.2.1.77", nic, ("atapi", "intelide"), "WinNT", 2005)
    software = software_hive("5.1", "2600", "Microsoft Windows XP", "Service Pack 2", (("AutoCAD 2002", "15.06"), ("Mozilla Firefox (1.0)", "1.0")), year=2005)
    tree = tree_nt("WINDOWS", system, software, (5, 1, 2600, 2180), "halacpi.dll", ("atapi.sys", "intelide.sys", "pcntpci5.sys"), {
        "Documents and Settings/All Users/ntuser.pol": b"PReg", "WINDOWS/system32/drivers/etc/hosts": "127.0.0.1 localhost\r\n"})
    tree["boot.ini"] = boot_ini("Microsoft Windows XP Professional", "WINDOWS", more="/noexecute=optin /fastdetect")
    place, = disk(path, cylinders, 255, 63, [(7, 0, cylinders, True)], disk_id=0xa1b2c3d4)
    ntfs(path, place, tree, "", 255)


def dual98nt(path):
    """Windows 98 on C: (FAT16), NT 4 on D: (NTFS); NTLDR asks."""
    c, d = disk(path, 260, 16, 63, [(6, 0, 130, True), (7, 130, 130, False)])
    tree = tree98()
    tree.update({"NTLDR": NTLDR, "NTDETECT.COM": b"MZ" + bytes(62), "BOOTSECT.DOS": b"\xeb\x3c\x90MSWIN4.1" + bytes(501), "BOOT.INI":
                 boot_ini("Windows NT Server Version 4.00", partition=2) + "C:\\=\"Microsoft Windows 98\"\r\n"})
    fat(path, c, tree, 16, b"MSWIN4.1", code=NT_BOOT, when=day(1999))
    nt = tree_nt4()
    for name in ("NTLDR", "NTDETECT.COM"):
        del nt[name]
    ntfs(path, d, nt, "NT", 16)
