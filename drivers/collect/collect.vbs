' The identity of an old Windows machine, for `holdover import --identity`: run it by a double click, or
'     cscript //nologo collect.vbs
' It writes IDENTITY.TXT beside itself (or where it may): bring that file along. docs/identity.md describes it.
' Windows 98 to XP, with the scripting host of any age; WMI is asked where there is one, else the registry and the system's tools.
' It only reads, and leaves out what it cannot find.
Option Explicit
On Error Resume Next
Dim fso, shell, out, wmi, has_wmi, folder, written
Set fso = CreateObject("Scripting.FileSystemObject")
Set shell = CreateObject("WScript.Shell")
folder = fso.GetParentFolderName(WScript.ScriptFullName)
written = folder & "\IDENTITY.TXT"
Set out = fso.CreateTextFile(written, True)
If Err.Number <> 0 Then                         ' a CD: the temporary folder, then
    Err.Clear
    folder = fso.GetSpecialFolder(2).Path
    written = folder & "\IDENTITY.TXT"
    Set out = fso.CreateTextFile(written, True)
End If
out.WriteLine "holdover-identity=1"
out.WriteLine "# collect.vbs"

Function Clean(text)
    Dim i, c, all
    all = ""
    For i = 1 To Len(text)
        c = Mid(text, i, 1)
        If Asc(c) >= 32 And Asc(c) < 127 Then all = all & c
    Next
    Clean = Left(Trim(all), 180)
End Function

Sub Put(key, value)
    Dim text
    If IsNull(value) Or IsEmpty(value) Then Exit Sub
    text = Clean("" & value)
    If text <> "" And LCase(text) <> "unknown" And LCase(text) <> "to be filled by o.e.m." Then out.WriteLine key & "=" & text
End Sub

Sub PutNumber(key, value)
    If IsNull(value) Or IsEmpty(value) Then Exit Sub
    If IsNumeric(value) Then If CDbl(value) > 0 And CDbl(value) < 100000000 Then out.WriteLine key & "=" & CLng(value)
End Sub

Function Reg(name)
    Dim v
    On Error Resume Next
    Reg = ""
    v = shell.RegRead(name)
    If Err.Number = 0 Then
        If IsArray(v) Then Reg = v(0) Else Reg = v
    End If
    Err.Clear
End Function

' The word behind another one: "6" of "x86 Family 6 Model 8", "Family"
Function Behind(text, word)
    Dim words, i
    Behind = ""
    words = Split(text, " ")
    For i = 0 To UBound(words) - 1
        If LCase(words(i)) = LCase(word) Then Behind = words(i + 1)
    Next
End Function

' The lines of a text file, whether it is ANSI or Unicode
Function Lines(path)
    Dim file, text
    On Error Resume Next
    Lines = Array()
    Set file = fso.OpenTextFile(path, 1, False, 0)
    text = file.ReadAll
    file.Close
    If Err.Number = 0 Then Lines = Split(Replace(Replace(text, Chr(0), ""), vbCr, ""), vbLf)
    Err.Clear
    fso.DeleteFile path
    Err.Clear
End Function

Function Two(n)
    Two = Right("0" & n, 2)
End Function

' "08/14/1998" of WMI's "19980814000000.000000+000"
Function WmiDate(text)
    WmiDate = ""
    If IsNull(text) Then Exit Function
    If Len(text) >= 8 And IsNumeric(Left(text, 8)) Then WmiDate = Mid(text, 5, 2) & "/" & Mid(text, 7, 2) & "/" & Left(text, 4)
End Function

' Keeps of a date what has a date's form
Sub PutDate(key, text)
    If Len(text) <> 8 And Len(text) <> 10 Then Exit Sub
    If Mid(text, 3, 1) = "/" And Mid(text, 6, 1) = "/" And IsNumeric(Left(text, 2)) And IsNumeric(Mid(text, 4, 2)) And IsNumeric(Mid(text, 7)) Then Put key, text
End Sub

Dim macs
macs = " "
Sub PutMac(value)
    Dim mac
    If IsNull(value) Then Exit Sub
    mac = LCase(Replace(Trim(value), "-", ":"))
    If Len(mac) <> 17 Or mac = "00:00:00:00:00:00" Or InStr("13579bdf", Mid(mac, 2, 1)) > 0 Or mac = "44:45:53:54:00:00" Or mac = "44:45:53:54:61:6f" Then Exit Sub
    If InStr(macs, mac) = 0 Then Put "mac", mac
    macs = macs & mac & " "
End Sub

' --- system and clock ---
Dim t, cv
cv = "HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\"
If Reg("HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\CurrentVersion") <> "" Then cv = "HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\"
Put "os", Reg(cv & "ProductName") & " " & Reg(cv & "VersionNumber") & Reg(cv & "CurrentVersion") & " " & Reg(cv & "CSDVersion")
Put "hostname", Reg("HKLM\SYSTEM\CurrentControlSet\Control\ComputerName\ComputerName\ComputerName")
t = Now
out.WriteLine "clock=" & Year(t) & "-" & Two(Month(t)) & "-" & Two(Day(t)) & "T" & Two(Hour(t)) & ":" & Two(Minute(t)) & ":" & Two(Second(t))
If "" & Reg("HKLM\SYSTEM\CurrentControlSet\Control\TimeZoneInformation\RealTimeIsUniversal") = "1" Then Put "clock.utc", "yes" Else Put "clock.utc", "no"

' --- processor, as the system keeps it ---
Dim cpu, id
cpu = "HKLM\HARDWARE\DESCRIPTION\System\CentralProcessor\0\"
id = Reg(cpu & "Identifier")
Put "cpu.vendor", Reg(cpu & "VendorIdentifier")
PutNumber "cpu.family", Behind(id, "Family")
PutNumber "cpu.model", Behind(id, "Model")
PutNumber "cpu.stepping", Behind(id, "Stepping")
Put "cpu.brand", Reg(cpu & "ProcessorNameString")
PutNumber "cpu.mhz", Reg(cpu & "~MHz")

' --- WMI ---
Dim o, all, n, memory, serials(9), disk
Err.Clear
Set wmi = GetObject("winmgmts:{impersonationLevel=impersonate}!root\cimv2")
has_wmi = (Err.Number = 0)
Err.Clear
memory = 0
If has_wmi Then
    For Each o In wmi.InstancesOf("Win32_BIOS")
        Put "bios.vendor", o.Manufacturer
        Put "bios.version", o.SMBIOSBIOSVersion
        PutDate "bios.date", WmiDate(o.ReleaseDate)
        Exit For
    Next
    For Each o In wmi.InstancesOf("Win32_ComputerSystemProduct")
        Put "system.vendor", o.Vendor
        Put "system.product", o.Name
        Put "system.version", o.Version
        Put "system.serial", o.IdentifyingNumber
        If Len("" & o.UUID) = 36 Then Put "system.uuid", o.UUID
        Exit For
    Next
    For Each o In wmi.InstancesOf("Win32_BaseBoard")
        Put "board.vendor", o.Manufacturer
        Put "board.product", o.Product
        Put "board.version", o.Version
        Put "board.serial", o.SerialNumber
        Exit For
    Next
    n = 0
    For Each o In wmi.InstancesOf("Win32_Processor")
        n = n + 1
    Next
    PutNumber "cpu.count", n
    For Each o In wmi.InstancesOf("Win32_PhysicalMemory")
        memory = memory + CDbl(o.Capacity)
    Next
    For Each o In wmi.InstancesOf("Win32_NetworkAdapter")
        If UCase(Left("" & o.PNPDeviceID, 4)) <> "ROOT" Then PutMac o.MACAddress
    Next
    For Each o In wmi.InstancesOf("Win32_PhysicalMedia")            ' XP: the serial number as the drive has it
        n = Right("" & o.Tag, 1)
        If IsNumeric(n) And InStr("" & o.Tag, "PHYSICALDRIVE") > 0 Then serials(CInt(n)) = o.SerialNumber
    Next
    For Each o In wmi.InstancesOf("Win32_DiskDrive")
        If o.Index >= 0 And o.Index < 10 And InStr("" & o.PNPDeviceID, "USB") = 0 Then
            disk = "disk" & o.Index & "."
            Put disk & "model", o.Model
            Put disk & "serial", Drive("" & o.PNPDeviceID, serials(o.Index))
            Put disk & "firmware", Firmware("" & o.PNPDeviceID)
            PutNumber disk & "cylinders", o.TotalCylinders
            PutNumber disk & "heads", o.TotalHeads
            PutNumber disk & "sectors", o.SectorsPerTrack
        End If
    Next
    For Each o In wmi.InstancesOf("Win32_CDROMDrive")
        Put "cdrom.model", o.Name
        Exit For
    Next
    For Each o In wmi.InstancesOf("Win32_PnPEntity")
        PutPci "" & o.DeviceID
    Next
    Err.Clear
End If

' IDE\DISKQUANTUM_FIREBALL_ST3.2A________________A0F.0D00\3135...: the last part is the serial number in hexadecimal, its bytes in
' pairs exchanged, or the system's own number (with a &)
Function Drive(id, media)
    Dim part, i, a, b, text
    On Error Resume Next
    Drive = ""
    If Trim("" & media) <> "" And Len(Trim("" & media)) <= 20 Then
        Drive = Trim(media)
        Exit Function
    End If
    If UCase(Left(id, 8)) <> "IDE\DISK" Then Exit Function
    part = Mid(id, InStrRev(id, "\") + 1)
    If InStr(part, "&") > 0 Or Len(part) <> 40 Then Exit Function
    text = ""
    For i = 1 To 37 Step 4
        a = Chr(CInt("&H" & Mid(part, i, 2)))
        b = Chr(CInt("&H" & Mid(part, i + 2, 2)))
        text = text & b & a
    Next
    If Err.Number = 0 Then Drive = Trim(text)
    Err.Clear
End Function

Function Firmware(id)
    Dim part
    Firmware = ""
    If UCase(Left(id, 8)) <> "IDE\DISK" Then Exit Function
    part = Mid(id, 9, InStrRev(id, "\") - 9)
    If Len(part) = 48 Then Firmware = Replace(Mid(part, 41), "_", " ")
End Function

Dim pcis
pcis = " "
Sub PutPci(id)
    Dim v, d, pair
    v = InStr(UCase(id), "VEN_")
    d = InStr(UCase(id), "DEV_")
    If v = 0 Or d = 0 Or InStr(UCase(id), "PCI\") = 0 Then Exit Sub
    pair = LCase(Mid(id, v + 4, 4) & ":" & Mid(id, d + 4, 4))
    If Len(pair) <> 9 Or InStr(pcis, pair) > 0 Then Exit Sub
    pcis = pcis & pair & " "
    Put "pci", pair
End Sub

' --- without WMI: the registry as regedit writes it, and the system's own tools ---
Dim one, file, sys
sys = "HKLM\HARDWARE\DESCRIPTION\System\"
If Not has_wmi Then
    PutDate "bios.date", Reg(sys & "SystemBiosDate")
    Put "bios.version", Reg(sys & "SystemBiosVersion")
    If Reg(sys & "SystemBiosDate") = "" Then
        PutDate "bios.date", Reg("HKLM\Enum\Root\*PNP0C01\0000\BIOSDate")
        Put "bios.vendor", Reg("HKLM\Enum\Root\*PNP0C01\0000\BIOSName")
        Put "bios.version", Reg("HKLM\Enum\Root\*PNP0C01\0000\BIOSVersion")
    End If
    file = folder & "\identity.tmp"
    shell.Run "regedit /e """ & file & """ HKEY_LOCAL_MACHINE\Enum\PCI", 7, True
    For Each one In Lines(file)
        PutPci one
    Next
    n = 0
    shell.Run "regedit /e """ & file & """ HKEY_LOCAL_MACHINE\Enum\ESDI", 7, True
    For Each one In Lines(file)                 ' [...\ESDI\QUANTUM_FIREBALL_ST3.2A_______________\...]
        If Left(one, 1) = "[" And UBound(Split(one, "\")) = 3 And InStr(UCase(one), "GENERIC_IDE") = 0 And n < 4 Then
            Put "disk" & n & ".model", Replace(Replace(Split(one, "\")(3), "]", ""), "_", " ")
            n = n + 1
        End If
    Next
    shell.Run "winipcfg /all /batch """ & file & """", 7, True
    For Each one In Lines(file)
        If InStr(one, "Address") > 0 And InStr(one, ": ") > 0 And InStr(one, "-") > 0 Then PutMac Mid(one, InStrRev(one, ": ") + 2)
    Next
End If
If macs = " " And Reg("HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\CurrentVersion") <> "" Then
    file = folder & "\identity.tmp"
    shell.Run "%COMSPEC% /c ipconfig /all >""" & file & """", 7, True
    For Each one In Lines(file)
        If InStr(one, ": ") > 0 Then PutMac Mid(one, InStrRev(one, ": ") + 2)
    Next
End If
If memory > 0 Then out.WriteLine "memory=" & CLng(memory / 1048576) & "M"

' --- serial numbers of volumes ---
Dim d, s
For Each d In fso.Drives
    If d.DriveType = 2 Then
        If d.IsReady Then
            s = Right("00000000" & Hex(d.SerialNumber), 8)
            Put "volume.serial", d.DriveLetter & ":" & Left(s, 4) & "-" & Right(s, 4)
        End If
    End If
Next
out.Close
WScript.Echo "The identity of this machine is in " & written
