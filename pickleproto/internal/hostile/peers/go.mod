module github.com/picklebridge/picklebridge/pickleproto/internal/hostile/peers

go 1.25.0

replace github.com/picklebridge/picklebridge => ../../../..

require (
	github.com/hydrogen18/stalecucumber v0.0.0-20180226003526-6de214d141dd
	github.com/kisielk/og-rek v1.3.0
	github.com/nlpodyssey/gopickle v0.2.0
	github.com/picklebridge/picklebridge v0.0.0-00010101000000-000000000000
)

require (
	github.com/aristanetworks/gomap v0.0.0-20230726210543-f4e41046dced // indirect
	golang.org/x/exp v0.0.0-20230725093048-515e97ebf090 // indirect
)
