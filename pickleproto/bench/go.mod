module github.com/picklebridge/picklebridge/pickleproto/bench

go 1.25.0

replace github.com/picklebridge/picklebridge => ../..

require (
	github.com/hydrogen18/stalecucumber v0.0.0-20180226003526-6de214d141dd
	github.com/kisielk/og-rek v1.3.0
	github.com/nlpodyssey/gopickle v0.2.0
	github.com/picklebridge/picklebridge v0.0.0-00010101000000-000000000000
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/aristanetworks/gomap v0.0.0-20230726210543-f4e41046dced // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/exp v0.0.0-20230725093048-515e97ebf090 // indirect
)
