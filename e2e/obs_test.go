package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// obsService is where an OBS streams to, and as whom: nobody where user is empty.
type obsService struct{ url, key, user, password string }

func (o obsService) file() string {
	return fmt.Sprintf(`{"type":"rtmp_custom","settings":{"server":%q,"key":%q,"use_auth":%v,"username":%q,"password":%q,"bwtest":false}}`,
		o.url, o.key, o.user != "", o.user, o.password)
}

// obsFiles are the settings of an OBS that streams a looping clip without
// asking anything.
func obsFiles(to obsService, clip string) map[string]string {
	return obsFilesOf(to, fmt.Sprintf(`{"local_file":%q,"looping":true,"is_local_file":true}`, clip))
}

// obsFilesOf are those of one that streams what its media source plays.
func obsFilesOf(to obsService, source string) map[string]string {
	return map[string]string{
		"global.ini": `[General]
Pre19Defaults=false
Pre21Defaults=false
Pre23Defaults=false
Pre24.1Defaults=false
FirstRun=true
LastVersion=486539266
InfoIncrement=99
EnableAutoUpdates=false
ConfirmOnExit=false
Language=en-US
[Basic]
Profile=E2E
ProfileDir=E2E
SceneCollection=E2E
SceneCollectionFile=E2E
[BasicWindow]
WarnBeforeStartingStream=false
[OBSWebSocket]
FirstLoad=false
ServerEnabled=false
AlertsEnabled=false
`,
		"basic/profiles/E2E/basic.ini": `[General]
Name=E2E
[Video]
BaseCX=640
BaseCY=360
OutputCX=640
OutputCY=360
FPSCommon=30
[Output]
Mode=Simple
Reconnect=false
[SimpleOutput]
VBitrate=800
ABitrate=128
StreamEncoder=x264
Preset=ultrafast
UseAdvanced=true
x264Settings=keyint=60 tune=zerolatency
`,
		"basic/profiles/E2E/service.json": to.file(),
		"basic/scenes/E2E.json": fmt.Sprintf(`{"name":"E2E","current_scene":"S","current_program_scene":"S","scene_order":[{"name":"S"}],"sources":[
{"id":"ffmpeg_source","name":"clip","settings":%s,"mixers":255},
{"id":"scene","name":"S","settings":{"id_counter":1,"items":[{"name":"clip","id":1,"visible":true}]}}]}`, source),
	}
}
