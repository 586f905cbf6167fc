module github.com/picklebridge/picklebridge

go 1.25.0
