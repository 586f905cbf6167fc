module github.com/picklebridge/picklebridge

go 1.25.0

require (
	github.com/hydrogen18/stalecucumber v0.0.0-20180226003526-6de214d141dd
	github.com/nlpodyssey/gopickle v0.2.0
	github.com/stretchr/testify v1.12.1
	go.uber.org/goleak v1.3.0
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect
