; The demonstration program's installer.
; makensis -DVERSION=1 -DFROM=folder of demo.exe and democlass.dll -DTO=setup.exe setup.nsi
Target amd64-unicode
Unicode true
Name "FvmDemo"
OutFile "${TO}"
InstallDir "$PROGRAMFILES64\FvmDemo"
RequestExecutionLevel admin
!define UNINSTALL "Software\Microsoft\Windows\CurrentVersion\Uninstall\FvmDemo"

Section "Main"
  SetRegView 64
  SetShellVarContext all
  SetOutPath "$INSTDIR"
  File "${FROM}/demo.exe"
  File "${FROM}/democlass.dll"
  FileOpen $0 "$INSTDIR\version.txt" w
  FileWrite $0 "version ${VERSION}"
  FileClose $0
  WriteUninstaller "$INSTDIR\uninst.exe"
  WriteRegStr HKLM "Software\FvmDemo" "InstallDir" "$INSTDIR"
  WriteRegDWORD HKLM "Software\FvmDemo" "Version" ${VERSION}
  WriteRegBin HKLM "Software\FvmDemo\Parts" "Blob" 00ff10
  WriteRegStr HKCU "Software\FvmDemo" "Greeting" "from version ${VERSION}"
  WriteRegStr HKLM "${UNINSTALL}" "DisplayName" "FvmDemo ${VERSION}.0"
  WriteRegStr HKLM "${UNINSTALL}" "UninstallString" '"$INSTDIR\uninst.exe"'
  WriteRegStr HKCR ".fvmdemo" "" "FvmDemo.File"
  WriteRegStr HKCR "FvmDemo.File" "" "FVM demonstration file"
  WriteRegStr HKCR "FvmDemo.File\shell\open\command" "" '"$INSTDIR\demo.exe" "%1"'
  CreateDirectory "$SMPROGRAMS\FvmDemo"
  CreateShortCut "$SMPROGRAMS\FvmDemo\Demo.lnk" "$INSTDIR\demo.exe"
  ExecWait '"$SYSDIR\regsvr32.exe" /s "$INSTDIR\democlass.dll"' $0
  IntCmp $0 0 registered
  SetErrorLevel 20
registered:
SectionEnd

Section "Uninstall"
  SetRegView 64
  SetShellVarContext all
  ExecWait '"$SYSDIR\regsvr32.exe" /s /u "$INSTDIR\democlass.dll"' $0
  IntCmp $0 0 unregistered
  SetErrorLevel 21
unregistered:
  Delete "$SMPROGRAMS\FvmDemo\Demo.lnk"
  RMDir "$SMPROGRAMS\FvmDemo"
  Delete "$INSTDIR\demo.exe"
  Delete "$INSTDIR\democlass.dll"
  Delete "$INSTDIR\version.txt"
  Delete "$INSTDIR\uninst.exe"
  RMDir "$INSTDIR"
  DeleteRegKey HKCR "FvmDemo.File"
  DeleteRegKey HKCR ".fvmdemo"
  DeleteRegKey HKLM "${UNINSTALL}"
  DeleteRegKey HKLM "Software\FvmDemo"
  DeleteRegKey HKCU "Software\FvmDemo"
SectionEnd
